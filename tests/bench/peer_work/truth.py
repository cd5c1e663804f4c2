"""What a peer's tables must hold, counted from the topic's own messages after it has run."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any, Final

import psycopg2
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.acceptance.streams import Event, Totals, expected

Ranges = Mapping[int, tuple[int, int]]

_LOG: Final = "SELECT game_id, player_id, event_type, count(*) FROM events GROUP BY 1, 2, 3"
_STATISTICS: Final = """
SELECT game_id, player_id, total_events, event_breakdown, first_event_at, last_event_at
  FROM player_statistics
"""
_BOARDS: Final = """
SELECT game_id, period, period_start, player_id, score, achieved_at FROM leaderboards
"""


def problems(
    servers: str, topic: str, ranges: Ranges, database: str, jobs: Sequence[str]
) -> str:
    """What is wrong in the tables of these jobs; empty where they are right."""
    truth = _truth(servers, topic, tuple(sorted((p, *span) for p, span in ranges.items())))
    found = _found(database, jobs)
    wrong = []
    for job in jobs:
        part = {"logging": "log", "stats": "statistics", "leaderboards": "board"}[job]
        asked = {game: getattr(totals, part) for game, totals in truth.items()}
        held = {game: getattr(totals, part) for game, totals in found.items()}
        differing = sum(
            asked.get(game, {}).get(key) != held.get(game, {}).get(key)
            for game in asked | held
            for key in asked.get(game, {}) | held.get(game, {})
        )
        if differing:
            wrong.append(f"{differing} rows of {job} differ")
    return ", ".join(wrong)


@lru_cache(maxsize=2)
def _truth(
    servers: str, topic: str, spans: tuple[tuple[int, int, int], ...]
) -> Mapping[str, Totals]:
    """By game; kept, because every peer of a run has the same messages."""
    by_game: dict[str, list[Event]] = defaultdict(list)
    for event in _messages(servers, topic, spans):
        by_game[event["game_id"]].append(event)
    return {game: expected(events) for game, events in by_game.items()}


def _messages(
    servers: str, topic: str, spans: Sequence[tuple[int, int, int]]
) -> Iterator[Event]:
    ends = {number: following for number, first, following in spans if first < following}
    settings = {
        "bootstrap.servers": servers,
        "group.id": "bench-looks",
        "enable.auto.commit": False,
    }
    with closing(Consumer(settings)) as consumer:
        consumer.assign(
            [TopicPartition(topic, number, first) for number, first, _ in spans if number in ends]
        )
        while ends:
            for message in consumer.consume(1_000, timeout=0.2):
                if message.error() is not None:
                    raise KafkaException(message.error())
                number, offset = message.partition(), message.offset()
                assert number is not None and offset is not None
                if offset < ends.get(number, 0):
                    yield json.loads(message.value() or b"")
                if offset + 1 >= ends.get(number, 0):
                    ends.pop(number, None)


def _found(database: str, jobs: Sequence[str]) -> Mapping[str, Totals]:
    totals: dict[str, Totals] = defaultdict(Totals)
    with (
        closing(psycopg2.connect(database, options="-c timezone=UTC")) as connection,
        connection.cursor() as cursor,
    ):
        if "logging" in jobs:
            for game, player, kind, count in _rows(cursor, _LOG):
                totals[game].log[player, kind] = count
        if "stats" in jobs:
            for game, player, *row in _rows(cursor, _STATISTICS):
                totals[game].statistics[player] = (row[0], row[1], row[2], row[3])
        if "leaderboards" in jobs:
            for game, period, start, player, score, at in _rows(cursor, _BOARDS):
                totals[game].board[period, start, player] = (score, at)
    return totals


def _rows(cursor: Any, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(query)
    return list(cursor.fetchall())
