"""What a reader of PostgreSQL and of Redis sees: the totals that no repetition may change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast

from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.events.services import LoggingConsumer
from apps.leaderboards import board_reads, row_reads
from apps.leaderboards.models import Entry
from apps.leaderboards.periods import Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.rules import Order, score_at
from apps.leaderboards.services import LeaderboardsConsumer
from apps.leaderboards.windows import Window
from apps.ledger.models import AppliedChunk
from apps.ledger.services import ChunkConsumer
from apps.stats.aggregate_models import PlayerAggregate
from apps.stats.models import (
    GameStatistics,
    GameStatisticsDaily,
    PlayerSession,
    PlayerStatistics,
    PlayerStatisticsDaily,
)
from apps.stats.services import StatsConsumer

CONSUMERS: dict[Consumer, ChunkConsumer] = {
    Consumer.LOGGING: LoggingConsumer(),
    Consumer.STATS: StatsConsumer(),
    Consumer.LEADERBOARDS: LeaderboardsConsumer(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """The rows of every table that an event takes effect in."""

    events: frozenset[tuple[Any, ...]]
    statistics: frozenset[tuple[Any, ...]]
    days: frozenset[tuple[Any, ...]]
    sessions: frozenset[tuple[Any, ...]]
    games: frozenset[tuple[Any, ...]]
    aggregates: frozenset[tuple[Any, ...]]
    entries: frozenset[tuple[Any, ...]]
    dead_letters: frozenset[tuple[Any, ...]]


def totals() -> Totals:
    """All that the tables say, but for row ids, versions and times of writing."""
    return Totals(
        events=frozenset(Event.objects.values_list("event_id", "event_type", "player_id")),
        statistics=frozenset(
            (
                row.player_id,
                row.game_id,
                *_counts(row),
            )
            for row in PlayerStatistics.objects.all()
        ),
        days=frozenset(
            (row.player_id, row.game_id, row.day, *_counts(row))
            for row in PlayerStatisticsDaily.objects.all()
        ),
        sessions=frozenset(
            PlayerSession.objects.annotate(text=Cast("day", TextField())).values_list(
                "game_id", "player_id", "session_id", "text"
            )
        ),
        games=frozenset(games()),
        aggregates=frozenset(
            PlayerAggregate.objects.annotate(text=Cast("day", TextField())).values_list(
                *("game_id", "player_id", "name", "text", "operator", "value", "last_at"),
                *("last_event_id", "counted", "skipped"),
            )
        ),
        entries=frozenset(
            Entry.objects.values_list(
                *("game_id", "board", "period", "period_start", "player_id"),
                *("score", "rank_key", "achieved_at"),
            )
        ),
        dead_letters=frozenset(
            DeadLetter.objects.values_list("consumer_service", "cause", "offset", "event_id")
        ),
    )


def _counts(row: PlayerStatistics | PlayerStatisticsDaily) -> tuple[Any, ...]:
    types = tuple(sorted(row.event_breakdown.items()))
    return row.total_events, types, row.sessions, row.first_event_at, row.last_event_at


def games() -> list[tuple[Any, ...]]:
    """Games with their totals: (game, day or None for all time, events, players)."""
    found: dict[tuple[str, Any], tuple[int, int]] = {}
    for part in GameStatistics.objects.all():
        _add(found, (part.game_id, None), part.total_events, part.players)
    for daily in GameStatisticsDaily.objects.all():
        _add(found, (daily.game_id, daily.day), daily.total_events, daily.active_players)
    return [(*key, *counts) for key, counts in found.items()]


def _add(
    found: dict[tuple[str, Any], tuple[int, int]], key: tuple[str, Any], events: int, players: int
) -> None:
    before = found.get(key, (0, 0))
    found[key] = (before[0] + events, before[1] + players)


def events_of(player_id: str) -> int:
    """Events that the player's statistics count."""
    return PlayerStatistics.objects.get(player_id=player_id).total_events


def score_of(player_id: str, *, board: str = "default") -> tuple[Decimal, datetime] | None:
    """The player's all-time score on a board, and when it was reached."""
    entries = Entry.objects.filter(board=board, period=Period.ALLTIME.value, player_id=player_id)
    return entries.values_list("score", "achieved_at").first()


def top(scope: BoardPeriod, limit: int) -> Window:
    """The first entries as a reader sees them: from Redis, which is built if it is not complete."""
    return board_reads.page(scope, RankMode.ORDINAL, limit)


def top_from_rows(scope: BoardPeriod, limit: int) -> Window:
    """The first entries as PostgreSQL has them."""
    return row_reads.page(scope, RankMode.ORDINAL, limit, None)


def shown(scope: BoardPeriod, limit: int) -> list[tuple[str, Decimal]]:
    """Players and scores of the top of a board whose order is desc."""
    found = top(scope, limit).lines
    return [(line.player_id, score_at(line.rank_key, Order.DESC)) for line in found]


def done(consumer: Consumer) -> list[tuple[int, int]]:
    """The chunks that the ledger has as applied by the consumer."""
    rows = AppliedChunk.objects.filter(consumer=consumer.value)
    return sorted(rows.values_list("first_offset", "next_offset"))
