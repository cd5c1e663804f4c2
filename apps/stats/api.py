"""Reading statistics over HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from django.http import HttpRequest
from ninja import Path, Query, Router, Schema
from pydantic import Field

from apps.stats import history, selectors
from apps.stats.cache import Statistics
from apps.stats.history import MOST_DAYS, Span
from apps.web.errors import RequestRefused
from apps.web.schemas import GameId, PlayerId, Refusal

router = Router(tags=["statistics"])
REFUSALS: Final = frozenset({400, 401, 403, 404, 503})
# Days that a read without `from` looks back.
_USUAL: Final = timedelta(days=30)


class SpanIn(Schema):
    """Days of UTC in `[from, to)`; at most a leap year of them."""

    start: Annotated[date | None, Field(alias="from", description="Default: 30 days before to")] = (
        None
    )
    end: Annotated[date | None, Field(alias="to", description="Exclusive; default: tomorrow")] = (
        None
    )

    def span(self, today: date) -> Span:
        """Raises RequestRefused."""
        try:
            end = today + timedelta(days=1) if self.end is None else self.end
            start = end - _USUAL if self.start is None else self.start
        except OverflowError as error:
            raise RequestRefused(400, "range", "to is too early", pointer="/to") from error
        if not start < end:
            raise RequestRefused(400, "range", "from must be before to", pointer="/from")
        if (end - start).days > MOST_DAYS:
            raise RequestRefused(400, "range", f"at most {MOST_DAYS} days at once", pointer="/from")
        return Span(start=start, end=end)


class AggregateOut(Schema):
    """What a player has of a declared aggregate."""

    value: str | None = Field(description="A decimal; null where every event was skipped")
    counted: int = Field(description="Events that gave a number")
    skipped: int = Field(description="Events of its types that gave none")


class StatisticsOut(Schema):
    """Statistics of a player in a game; times are UTC event times."""

    player_id: str
    game_id: str
    total_events: int
    events: dict[str, int]
    first_event_at: datetime
    last_event_at: datetime
    sessions: int
    aggregates: dict[str, AggregateOut] = Field(description="Declared ones, by name")


@router.get(
    "/players/{player_id}/stats",
    response={200: StatisticsOut, REFUSALS: Refusal},
)
def player_statistics(
    request: HttpRequest, player_id: Path[PlayerId], game_id: Query[GameId]
) -> Any:
    """What a player did in a game: all events, by type, when, and in how many sessions."""
    return _known(player_id, game_id)


class PlayerDayOut(Schema):
    """What a player did on one day of UTC, by the time of the events."""

    day: date
    total_events: int
    events: dict[str, int]
    sessions: int
    first_event_at: datetime
    last_event_at: datetime
    aggregates: dict[str, AggregateOut] = Field(description="Of that day, by name")


class PlayerHistoryOut(Schema):
    """The days with events in `[from, to)`, in order."""

    player_id: str
    game_id: str
    start: Annotated[date, Field(alias="from")]
    end: Annotated[date, Field(alias="to")]
    days: list[PlayerDayOut]


@router.get(
    "/players/{player_id}/stats/daily",
    response={200: PlayerHistoryOut, REFUSALS: Refusal},
    by_alias=True,
)
def player_history(
    request: HttpRequest,
    player_id: Path[PlayerId],
    game_id: Query[GameId],
    days: Query[SpanIn],
) -> Any:
    """What a player did in a game day by day. A day without events is left out."""
    span = days.span(datetime.now(UTC).date())
    found = history.days_of_player(player_id, game_id, span)
    if not found:
        _known(player_id, game_id)
    return {
        "player_id": player_id,
        "game_id": game_id,
        "from": span.start,
        "to": span.end,
        "days": found,
    }


class GameDayOut(Schema):
    """A game's day of UTC, by the time of the events; each active player counts once."""

    day: date
    total_events: int
    active_players: int


class GameTotalsOut(Schema):
    """A game's totals of all time, and its days with events in `[from, to)`, in order."""

    game_id: str
    total_events: int
    players: int
    start: Annotated[date, Field(alias="from")]
    end: Annotated[date, Field(alias="to")]
    days: list[GameDayOut]


@router.get(
    "/games/{game_id}/stats",
    response={200: GameTotalsOut, REFUSALS: Refusal},
    by_alias=True,
)
def game_totals(request: HttpRequest, game_id: Path[GameId], days: Query[SpanIn]) -> Any:
    """Events and players of a game: of all time, and day by day."""
    span = days.span(datetime.now(UTC).date())
    found = history.totals_of_game(game_id)
    if found is None:
        raise RequestRefused(404, "not_found", f"no event in {game_id!r}")
    return {
        "game_id": game_id,
        "total_events": found.total_events,
        "players": found.players,
        "from": span.start,
        "to": span.end,
        "days": history.days_of_game(game_id, span),
    }


def _known(player_id: str, game_id: str) -> Statistics:
    found = selectors.of_player(player_id, game_id)
    if found is None:
        raise RequestRefused(404, "not_found", f"no event of {player_id!r} in {game_id!r}")
    return found
