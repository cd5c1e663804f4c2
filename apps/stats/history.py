"""Statistics by day, and the totals of games; read from PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db.models import JSONField, Sum
from django.db.models.expressions import RawSQL

from apps.stats.aggregate_sql import shown
from apps.stats.cache import Aggregate
from apps.stats.models import GameStatistics, GameStatisticsDaily, PlayerStatisticsDaily
from apps.stats.selectors import aggregates

# Days of one answer: a leap year.
MOST_DAYS: Final = 366
_AGGREGATES: Final = shown("player_statistics_daily", "player_statistics_daily.day")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Days of UTC in `[start, end)`."""

    start: date
    end: date


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayerDay:
    """What a player did in a game on one day; times are UTC event times."""

    day: date
    total_events: int
    events: dict[str, int]
    sessions: int
    first_event_at: datetime
    last_event_at: datetime
    aggregates: dict[str, Aggregate]


@dataclass(frozen=True, kw_only=True, slots=True)
class GameDay:
    """A game's day."""

    day: date
    total_events: int
    active_players: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GameTotals:
    """A game's totals of all time."""

    total_events: int
    players: int


def days_of_player(player_id: str, game_id: str, span: Span) -> list[PlayerDay]:
    """The days on which the player was active, in order."""
    rows = (
        PlayerStatisticsDaily.objects.filter(
            game_id=game_id, player_id=player_id, day__gte=span.start, day__lt=span.end
        )
        .annotate(aggregates=RawSQL(_AGGREGATES, (), output_field=JSONField()))
        .order_by("day")
    )
    return [
        PlayerDay(
            day=row.day,
            total_events=row.total_events,
            events=row.event_breakdown,
            sessions=row.sessions,
            first_event_at=row.first_event_at,
            last_event_at=row.last_event_at,
            aggregates=aggregates(row.aggregates),
        )
        for row in rows
    ]


def totals_of_game(game_id: str) -> GameTotals | None:
    """None where no event of the game was applied."""
    found = GameStatistics.objects.filter(game_id=game_id).aggregate(
        events=Sum("total_events"), players=Sum("players")
    )
    if found["events"] is None:
        return None
    return GameTotals(total_events=found["events"], players=found["players"])


def days_of_game(game_id: str, span: Span) -> list[GameDay]:
    """The days that have events, in order."""
    rows = (
        GameStatisticsDaily.objects.filter(game_id=game_id, day__gte=span.start, day__lt=span.end)
        .values_list("day")
        .annotate(Sum("total_events"), Sum("active_players"))
        .order_by("day")
    )
    return [GameDay(day=row[0], total_events=row[1], active_players=row[2]) for row in rows]
