"""What a peer's tables must hold, counted from the topic's own messages after it has run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import psycopg2
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.acceptance.streams import Event, periods_of, score_of

Ranges = Mapping[int, tuple[int, int]]
# Of a job: what each key of its table must say.
Rows = dict[tuple[Any, ...], Any]

_QUERIES: Final = {
    "logging": "SELECT game_id, player_id, event_type, count(*) FROM events GROUP BY 1, 2, 3",
    "stats": """
SELECT game_id, player_id, total_events, event_breakdown, first_event_at, last_event_at
  FROM player_statistics
""",
    "leaderboards": """
SELECT game_id, player_id, period, period_start, score, achieved_at FROM leaderboards
""",
}
_KEY_COLUMNS: Final = {"logging": 3, "stats": 2, "leaderboards": 4}


def problems(servers: str, topic: str, ranges: Ranges, database: str, jobs: Sequence[str]) -> str:
    """What is wrong in the tables of these jobs; empty where they are right."""
    truth = _truth(servers, topic, tuple(sorted((p, *span) for p, span in ranges.items())))
    return problems_of(
        {job: truth[job] for job in jobs}, {job: found(database, job) for job in jobs}
    )


def problems_of(asked: Mapping[str, Rows], held: Mapping[str, Rows]) -> str:
    """How many rows of which job differ; empty where none does."""
    differing = {
        job: sum(rows.get(key) != held[job].get(key) for key in rows | held[job])
        for job, rows in asked.items()
    }
    return ", ".join(f"{count} rows of {job} differ" for job, count in differing.items() if count)


@lru_cache(maxsize=2)
def _truth(servers: str, topic: str, spans: tuple[tuple[int, int, int], ...]) -> Mapping[str, Rows]:
    """By job; kept, because every peer of a run has the same messages."""
    log: Counter[tuple[str, str, str]] = Counter()
    times: dict[tuple[str, str], tuple[datetime, datetime]] = {}
    board: dict[tuple[Any, ...], tuple[Decimal, datetime]] = {}
    known: set[str] = set()
    for event in _messages(servers, topic, spans):
        if event["event_id"] in known:
            continue
        known.add(event["event_id"])
        who = event["game_id"], event["player_id"]
        at = datetime.fromisoformat(event["timestamp"])
        log[*who, event["event_type"]] += 1
        first, last = times.get(who, (at, at))
        times[who] = min(first, at), max(last, at)
        score = score_of(event)
        for period, start in periods_of(at) if score is not None else ():
            held, latest = board.get((*who, period, start), (Decimal(0), at))
            board[*who, period, start] = held + (score or 0), max(latest, at)
    types: dict[tuple[str, str], dict[str, int]] = {who: {} for who in times}
    for (game, player, kind), count in log.items():
        types[game, player][kind] = count
    return {
        "logging": {key: (count,) for key, count in log.items()},
        "stats": {who: (sum(types[who].values()), types[who], *times[who]) for who in times},
        "leaderboards": dict(board),
    }


def _messages(servers: str, topic: str, spans: Sequence[tuple[int, int, int]]) -> Iterator[Event]:
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


def found(database: str, job: str) -> Rows:
    """What the job's table says of each key."""
    keys = _KEY_COLUMNS[job]
    with (
        closing(psycopg2.connect(database, options="-c timezone=UTC")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(_QUERIES[job])
        return {row[:keys]: row[keys:] for row in cursor.fetchall()}
