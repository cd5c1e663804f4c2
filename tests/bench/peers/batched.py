"""The three plain consumers with batches: up to 500 events polled, one transaction a batch.

What was new is known from one INSERT ... ON CONFLICT DO NOTHING RETURNING; its deltas are folded
in Python, one row a key, and written by one upsert. Rows are sorted by key, as with several
processes they have to be.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import psycopg2
from confluent_kafka import Message
from psycopg2.extras import execute_values

from tests.bench.peer_work.crew import Crew, module
from tests.bench.peer_work.events import Entry, decode, entries_of, score_of, time_of
from tests.bench.peer_work.order import Order, work_in_batches
from tests.bench.peers import BenchRig, PeerResult

NAME: Final = "plain consumers in batches of 500"
JOBS: Final = ("logging", "stats", "leaderboards")
BATCH: Final = 500
# Seconds that a batch may wait for its last event.
LINGER: Final = 0.05

Event = dict[str, Any]

_LOG = """
INSERT INTO events (event_id, event_type, player_id, game_id, event_timestamp, ingested_at,
                    event_version, session_id, sent_at, data)
VALUES %s ON CONFLICT (event_id) DO NOTHING
"""
_CLAIM = """
INSERT INTO {} (event_id) VALUES %s ON CONFLICT (event_id) DO NOTHING RETURNING event_id::text
"""
_STATISTICS = """
INSERT INTO player_statistics AS s (player_id, game_id, total_events, event_breakdown,
                                    first_event_at, last_event_at, version)
VALUES %s
    ON CONFLICT (player_id, game_id) DO UPDATE SET
       total_events = s.total_events + EXCLUDED.total_events,
       event_breakdown = s.event_breakdown || (
         SELECT jsonb_object_agg(d.key, coalesce((s.event_breakdown->>d.key)::bigint, 0)
                                        + d.value::bigint)
           FROM jsonb_each_text(EXCLUDED.event_breakdown) AS d),
       first_event_at = least(s.first_event_at, EXCLUDED.first_event_at),
       last_event_at = greatest(s.last_event_at, EXCLUDED.last_event_at),
       updated_at = now()
"""
_STATISTICS_ROW = "(%s, %s, %s, %s::jsonb, %s, %s, 0)"
_ENTRIES = """
INSERT INTO leaderboards AS l (game_id, board, period, period_start, player_id, score, rank_key,
                               achieved_at, moved, version)
VALUES %s
    ON CONFLICT (game_id, board, period, period_start, player_id) DO UPDATE SET
       score = l.score + EXCLUDED.score, rank_key = l.rank_key + EXCLUDED.rank_key,
       achieved_at = greatest(l.achieved_at, EXCLUDED.achieved_at), updated_at = now()
"""
_ENTRIES_ROW = "(%s, 'default', %s, %s, %s, %s, %s, %s, true, 0)"


def log(cursor: Any, messages: Sequence[Message]) -> None:
    events = [json.loads(message.value() or b"") for message in messages]
    rows = [
        (
            *(event["event_id"], event["event_type"], event["player_id"], event["game_id"]),
            *(event["timestamp"], event["ingested_at"], event.get("event_version")),
            *(event.get("session_id"), event.get("sent_at"), json.dumps(event["data"])),
        )
        for event in events
    ]
    execute_values(cursor, _LOG, rows, page_size=BATCH)


def count(cursor: Any, messages: Sequence[Message]) -> None:
    events = [json.loads(message.value() or b"") for message in messages]
    by_player: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in _claimed(cursor, "stats_applied_events", events):
        by_player[event["player_id"], event["game_id"]].append(event)
    rows = [
        (
            *(player, game, len(theirs)),
            json.dumps(Counter(event["event_type"] for event in theirs)),
            min(map(time_of, theirs)),
            max(map(time_of, theirs)),
        )
        for (player, game), theirs in sorted(by_player.items())
    ]
    if rows:
        execute_values(cursor, _STATISTICS, rows, template=_STATISTICS_ROW, page_size=BATCH)


def rank(cursor: Any, messages: Sequence[Message]) -> None:
    events = [decode(message.value()) for message in messages]
    scoring = [event for event in events if score_of(event) is not None]
    if not scoring:
        return
    deltas: dict[Entry, tuple[Decimal, datetime]] = {}
    for event in _claimed(cursor, "leaderboards_applied_events", scoring):
        score, at = score_of(event) or Decimal(0), time_of(event)
        for entry in entries_of(event):
            held, latest = deltas.get(entry, (Decimal(0), at))
            deltas[entry] = (held + score, max(latest, at))
    rows = [(*entry, score, -score, at) for entry, (score, at) in sorted(deltas.items())]
    if rows:
        execute_values(cursor, _ENTRIES, rows, template=_ENTRIES_ROW, page_size=4 * BATCH)


def _claimed(cursor: Any, table: str, events: Sequence[Event]) -> list[Event]:
    """The events whose ids were not there; the first of equal ids."""
    first = {event["event_id"]: event for event in reversed(events)}
    ids = [(event_id,) for event_id in sorted(first)]
    new = execute_values(cursor, _CLAIM.format(table), ids, page_size=BATCH, fetch=True)
    return [first[event_id] for (event_id,) in new]


APPLY: Final[dict[str, Callable[[Any, Sequence[Message]], None]]] = {
    "logging": log,
    "stats": count,
    "leaderboards": rank,
}


def work(order: Order) -> None:
    """Apply every message, a batch a transaction."""
    connection = psycopg2.connect(order.database)
    work_in_batches(order, connection, APPLY[order.job], most=BATCH, linger=LINGER)


def run(rig: BenchRig, events: int) -> PeerResult:
    return Crew(name="batched", jobs=JOBS, argv=module(__name__)).run(rig, events)


if __name__ == "__main__":
    work(Order.of_process())
