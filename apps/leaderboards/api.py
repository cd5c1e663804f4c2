"""Boards over HTTP: declare one, read its top."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Schema
from pydantic import ConfigDict, Field, field_validator

from apps.contract.envelope import EARLIEST, EVENT_TYPE
from apps.leaderboards import selectors
from apps.leaderboards.declaration import BoardConflict, LogBehind, declare
from apps.leaderboards.periods import Period, end_of, start_of
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.ranks import RankMode, ranks
from apps.leaderboards.rules import DEFAULT_BOARD, EXACT, Definition, Operator, Order, Scoring
from apps.web.answers import answer
from apps.web.errors import RequestRefused
from apps.web.keys import demand_management
from apps.web.schemas import GameId, Refusal

router = Router(tags=["leaderboards"])
# What follows is beyond what a date can be once a zone and a period are added to it.
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
REFUSALS = frozenset({400, 401, 403, 404, 409, 503})
EventType = Annotated[str, Field(pattern=f"^{EVENT_TYPE}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class BoardIn(Schema):
    """A board as data: which events count, where their score is, and how scores come together."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    event_types: Annotated[list[EventType], Field(min_length=1, max_length=50)]
    score: Annotated[str, Field(pattern=r"^(/([^~/\x00-\x1f]|~[01])*)+$", max_length=512)]
    operator: Operator
    order: Order = Order.DESC
    periods: Annotated[list[Period], Field(min_length=1)] = Field(default=list(Period))
    timezone: str = "UTC"

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value == DEFAULT_BOARD:
            raise ValueError("the default board exists without configuration; choose another name")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a time zone of the IANA database, as Europe/Vienna")
        return value

    def definition(self, game_id: str) -> Definition:
        return Definition(
            game_id=game_id,
            name=self.name,
            scoring=dict.fromkeys(self.event_types, Scoring(pointer=self.score)),
            operator=self.operator,
            order=self.order,
            periods=tuple(period for period in Period if period in self.periods),
            timezone=self.timezone,
        )


def _manager(request: HttpRequest) -> bool:
    """Before the body is looked at: a stranger learns nothing from validation errors."""
    demand_management(request)
    return True


class DeclaredOut(BoardIn):
    """The board as it is declared now."""

    status: Literal["success"]
    game_id: str


@router.post(
    "/games/{game_id}/leaderboards",
    auth=_manager,
    response={frozenset({200, 201}): DeclaredOut, REFUSALS: Refusal},
)
def declare_board(request: HttpRequest, game_id: Path[GameId], definition: BoardIn) -> HttpResponse:
    """Declare a board; it is filled from the log. Needs the management key.

    201: declared; 200: it was declared so already; 409: it is declared otherwise; 503: the log
    is behind the boards, try again.
    """
    try:
        new = declare(definition.definition(game_id))
    except BoardConflict as error:
        raise RequestRefused(409, "board_conflict", str(error), pointer="/name") from error
    except LogBehind as error:
        raise RequestRefused(503, "log_behind", str(error), retry_after=5) from error
    body = {"status": "success", "game_id": game_id, **definition.model_dump(mode="json")}
    return answer(201 if new else 200, body)


class EntryOut(Schema):
    """One line of a board."""

    rank: int
    player_id: str
    score: Decimal | str
    achieved_at: datetime


class BoardOut(Schema):
    """The top of a board in one period; `period_end` is exclusive, null for all-time."""

    game_id: str
    board: str
    period: Period
    period_start: datetime | None
    period_end: datetime | None
    total: int
    entries: list[EntryOut]


@router.get("/leaderboards/{game_id}/{board}", response={200: BoardOut, REFUSALS: Refusal})
def read_board(
    request: HttpRequest,
    game_id: Path[GameId],
    board: str,
    period: Period = Period.ALLTIME,
    at: datetime | date | None = None,
    limit: Annotated[int, Field(ge=1, le=1000)] = 25,
    rank_mode: RankMode = RankMode.ORDINAL,
    scores: Literal["number", "string"] = "number",
) -> HttpResponse:
    """The first `limit` players of the period that holds `at` (a date or time; now if absent)."""
    definition = selectors.definition_of(game_id, board)
    if definition is None:
        raise RequestRefused(404, "not_found", f"{game_id!r} has no board {board!r}")
    if period not in definition.periods:
        raise RequestRefused(404, "not_found", f"board {board!r} does not keep {period} scores")
    moment = _moment(at, definition.timezone)
    start = start_of(period, moment, definition.timezone)
    scope = BoardPeriod(game_id=game_id, board=board, period=period, period_start=start)
    found = selectors.top(scope, definition.order, limit)
    return answer(
        200,
        {
            "game_id": game_id,
            "board": board,
            "period": period.value,
            "period_start": None if period is Period.ALLTIME else start,
            "period_end": end_of(period, moment, definition.timezone),
            "total": found.total,
            "entries": [
                {
                    "rank": rank,
                    "player_id": entry.player_id,
                    "score": _score(entry.score, scores),
                    "achieved_at": entry.achieved_at,
                }
                for rank, entry in zip(
                    ranks(rank_mode, [entry.score for entry in found.entries]),
                    found.entries,
                    strict=True,
                )
            ],
        },
    )


def _moment(at: datetime | date | None, zone: str) -> datetime:
    """The aware moment that `at` means; a day or naive time is one of the board's zone.

    Raises RequestRefused (400).
    """
    if at is None:
        return datetime.now(UTC)
    if not isinstance(at, datetime):
        at = datetime.combine(at, time())
    moment = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))
    if not EARLIEST <= moment < LATEST:
        raise RequestRefused(400, "at_range", "at must be from 1970 to 9998", pointer="/at")
    return moment


def _score(score: Decimal, form: str) -> Any:
    plain = format(score.normalize(EXACT), "f")
    return plain if form == "string" else Decimal(plain)
