"""Reading boards over HTTP: pages, the place of a player, the places of many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from apps.contract.envelope import EARLIEST
from apps.leaderboards import board_reads, selectors
from apps.leaderboards.board_reads import BoardSwitched
from apps.leaderboards.cursors import CursorExpired, CursorInvalid, Seek, Walk
from apps.leaderboards.periods import Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.ranks import RankMode, percentile
from apps.leaderboards.read_schemas import (
    AroundAsked,
    Asked,
    LookupIn,
    LookupOut,
    PageAsked,
    PageOut,
    PlayerOut,
)
from apps.leaderboards.rules import Definition, plain, score_at
from apps.leaderboards.windows import Line, Window
from apps.web.answers import answer
from apps.web.errors import RequestRefused
from apps.web.schemas import GameId, PlayerId, Refusal

router = Router(tags=["leaderboards"])
REFUSALS: Final = frozenset({400, 401, 403, 404, 503})
# What follows is beyond what a date can be once a zone and a period are added to it.
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)


@router.get("/leaderboards/{game_id}/{board}", response={200: PageOut, REFUSALS: Refusal})
def read_board(
    request: HttpRequest, game_id: Path[GameId], board: str, asked: Query[PageAsked]
) -> HttpResponse:
    """The first `limit` players of the period that holds `at`, or those at a cursor.

    Walk with the same `period` and `at`. 400 `cursor_expired`: the period has ended since, or the
    board was defined anew; `cursor_invalid`: it is broken, or of another board or period.
    """

    def read() -> HttpResponse:
        view = _View.of(game_id, board, asked)
        seek = view.seek(asked)
        found = board_reads.page(view.scope, asked.rank_mode, asked.limit, seek)
        return answer(200, view.head(found.total) | view.page(found, seek))

    return _of_one_board(read)


@router.get(
    "/leaderboards/{game_id}/{board}/players/{path:player_id}",
    response={200: PlayerOut, REFUSALS: Refusal},
)
def read_player(
    request: HttpRequest,
    game_id: Path[GameId],
    board: str,
    player_id: Path[PlayerId],
    asked: Query[AroundAsked],
) -> HttpResponse:
    """A player's rank, score and percentile, with `around` neighbours on each side.

    `percentile` is the share of players whose score is this one or a worse one:
    100 * (total - competition rank + 1) / total. At the top and the bottom the window is shifted,
    so that it has 2 * `around` + 1 entries where the board has as many. 404 `not_ranked`: the
    player has no entry in the period.
    """

    def read() -> HttpResponse:
        view = _View.of(game_id, board, asked)
        found = board_reads.around(view.scope, asked.rank_mode, player_id, asked.around)
        if found is None:
            told = f"{player_id!r} has no entry in this period"
            raise RequestRefused(404, "not_ranked", told, pointer="/player_id")
        page = view.page(found, None)
        own = [line.player_id for line in found.lines].index(player_id)
        standing = {
            "entry": page["entries"][own],
            "percentile": percentile(found.ranks(RankMode.COMPETITION)[own], found.total),
        }
        return answer(200, view.head(found.total) | standing | page)

    return _of_one_board(read)


@router.post("/leaderboards/{game_id}/{board}/lookup", response={200: LookupOut, REFUSALS: Refusal})
def look_up(
    request: HttpRequest, game_id: Path[GameId], board: str, body: LookupIn, asked: Query[Asked]
) -> HttpResponse:
    """The entries of up to 200 players, as of a list of friends, with their ranks on the board."""
    wanted = list(dict.fromkeys(body.player_ids))

    def read() -> HttpResponse:
        view = _View.of(game_id, board, asked)
        found = board_reads.lookup(view.scope, asked.rank_mode, wanted)
        ranked = {line.player_id for _, line in found.lines}
        names = {
            "entries": view.entries(found.lines),
            "not_found": [player_id for player_id in wanted if player_id not in ranked],
        }
        return answer(200, view.head(found.total) | names)

    return _of_one_board(read)


def _of_one_board(read: Callable[[], HttpResponse]) -> HttpResponse:
    """What `read` answers; once more where the board was switched between definition and rows."""
    try:
        return read()
    except BoardSwitched:
        return read()


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """A board in one period, as one request wants to see it."""

    definition: Definition
    asked: Asked
    scope: BoardPeriod
    period_end: datetime | None

    @classmethod
    def of(cls, game_id: str, board: str, asked: Asked) -> _View:
        """Raises RequestRefused (400, 404)."""
        definition = selectors.definition_of(game_id, board)
        if definition is None:
            raise RequestRefused(404, "not_found", f"{game_id!r} has no board {board!r}")
        if asked.period not in definition.periods:
            told = f"board {board!r} does not keep {asked.period} scores"
            raise RequestRefused(404, "not_found", told)
        moment = _moment(asked.at, definition.timezone)
        start = definition.start_of(asked.period, moment)
        return cls(
            definition=definition,
            asked=asked,
            scope=BoardPeriod(
                game_id=game_id,
                board=board,
                period=asked.period,
                period_start=start,
                generation=definition.generation,
            ),
            period_end=definition.end_of(asked.period, moment),
        )

    @property
    def walk(self) -> Walk:
        return Walk(
            definition=self.definition,
            period=self.scope.period,
            period_start=self.scope.period_start,
        )

    def seek(self, asked: PageAsked) -> Seek | None:
        """Raises RequestRefused (400)."""
        if asked.cursor is None:
            return None
        try:
            return self.walk.seek(asked.cursor, asked_for_now=asked.at is None)
        except CursorInvalid as error:
            code, told = "cursor_invalid", str(error)
        except CursorExpired as error:
            code, told = "cursor_expired", str(error)
        raise RequestRefused(400, code, told, pointer="/cursor")

    def head(self, total: int) -> dict[str, Any]:
        alltime = self.scope.period is Period.ALLTIME
        return {
            "game_id": self.scope.game_id,
            "board": self.scope.board,
            "period": self.scope.period.value,
            "period_start": None if alltime else self.scope.period_start,
            "period_end": self.period_end,
            "total": total,
        }

    def page(self, found: Window, seek: Seek | None) -> dict[str, Any]:
        ranks = found.ranks(self.asked.rank_mode)
        return {
            "entries": self.entries(zip(ranks, found.lines, strict=True)),
            "next": self._cursor(found.onward(seek)),
            "prev": self._cursor(found.back(seek)),
        }

    def entries(self, lines: Iterable[tuple[int, Line]]) -> list[dict[str, Any]]:
        return [
            {
                "rank": rank,
                "player_id": line.player_id,
                "score": self._score(line.rank_key),
                "achieved_at": line.achieved_at,
            }
            for rank, line in lines
        ]

    def _cursor(self, seek: Seek | None) -> str | None:
        return None if seek is None else self.walk.cursor(seek)

    def _score(self, rank_key: Decimal) -> Any:
        score = plain(score_at(rank_key, self.definition.order))
        return score if self.asked.scores == "string" else Decimal(score)


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
