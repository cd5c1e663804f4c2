"""Declaring boards over HTTP; reading them is in read_api."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import available_timezones

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Schema
from pydantic import ConfigDict, Field, field_validator, model_validator

from apps.contract.envelope import EVENT_TYPE
from apps.leaderboards.declaration import BoardConflict, LogBehind, declare
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import DEFAULT_BOARD, Definition, Operator, Order, Scoring
from apps.web.answers import answer
from apps.web.errors import RequestRefused
from apps.web.keys import demand_management
from apps.web.schemas import GameId, Refusal

router = Router(tags=["leaderboards"])
REFUSALS = frozenset({400, 401, 403, 404, 409, 503})
EventType = Annotated[str, Field(pattern=f"^{EVENT_TYPE}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class BoardIn(Schema):
    """A board as data: which events count, where their score is, and how scores come together."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    event_types: Annotated[list[EventType], Field(min_length=1, max_length=50)]
    score: Annotated[str, Field(pattern=r"^(/([^~/\x00-\x1f]|~[01])*)*$", max_length=512)] = ""
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

    @model_validator(mode="after")
    def _bears_a_score(self) -> BoardIn:
        if not self.score and self.operator is not Operator.COUNT:
            raise ValueError(
                "score is needed, as a JSON Pointer into data; only count does without"
            )
        return self

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
