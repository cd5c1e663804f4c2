"""Three plain consumers, as people write them first: one event, one transaction.

Each is a process with a consumer group of its own. Against double application it has what people
use: the event's id is inserted with ON CONFLICT DO NOTHING, and what follows is done only if it
was new, in the same transaction. Offsets are stored after the commit; librdkafka sends them to
Kafka every few seconds, which is the cheapest safe way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import psycopg2

from tests.bench.peer_work.crew import Crew, module
from tests.bench.peer_work.events import decode, entries_of, score_of
from tests.bench.peer_work.order import Clock, Order
from tests.bench.peers import BenchRig, PeerResult

NAME: Final = "plain consumers, one commit an event"
JOBS: Final = ("logging", "stats", "leaderboards")

_LOG = """
INSERT INTO events (event_id, event_type, player_id, game_id, event_timestamp, ingested_at,
                    event_version, session_id, sent_at, data)
VALUES (%(event_id)s, %(event_type)s, %(player_id)s, %(game_id)s, %(timestamp)s, %(ingested_at)s,
        %(event_version)s, %(session_id)s, %(sent_at)s, %(data)s)
    ON CONFLICT (event_id) DO NOTHING
"""
_CLAIM = "INSERT INTO {} (event_id) VALUES (%s) ON CONFLICT (event_id) DO NOTHING"
_STATISTICS = """
INSERT INTO player_statistics AS s (player_id, game_id, total_events, event_breakdown,
                                    first_event_at, last_event_at, version)
VALUES (%(player_id)s, %(game_id)s, 1, jsonb_build_object(%(event_type)s, 1),
        %(timestamp)s, %(timestamp)s, 0)
    ON CONFLICT (player_id, game_id) DO UPDATE SET
       total_events = s.total_events + 1,
       event_breakdown = s.event_breakdown || jsonb_build_object(
         %(event_type)s, coalesce((s.event_breakdown->>%(event_type)s)::bigint, 0) + 1),
       first_event_at = least(s.first_event_at, EXCLUDED.first_event_at),
       last_event_at = greatest(s.last_event_at, EXCLUDED.last_event_at),
       updated_at = now()
"""
_ENTRY = "(%s, 'default', %s, %s, %s, %s, %s, %s, true, 0)"
_ENTRIES = f"""
INSERT INTO leaderboards AS l (game_id, board, period, period_start, player_id, score, rank_key,
                               achieved_at, moved, version)
VALUES {_ENTRY}, {_ENTRY}, {_ENTRY}, {_ENTRY}
    ON CONFLICT (game_id, board, period, period_start, player_id) DO UPDATE SET
       score = l.score + EXCLUDED.score, rank_key = l.rank_key + EXCLUDED.rank_key,
       achieved_at = greatest(l.achieved_at, EXCLUDED.achieved_at), updated_at = now()
"""
_OPTIONAL = {"event_version": None, "session_id": None, "sent_at": None}


def log(cursor: Any, value: bytes | None) -> None:
    event = json.loads(value or b"")
    cursor.execute(_LOG, {**_OPTIONAL, **event, "data": json.dumps(event["data"])})


def count(cursor: Any, value: bytes | None) -> None:
    event = json.loads(value or b"")
    cursor.execute(_CLAIM.format("stats_applied_events"), [event["event_id"]])
    if cursor.rowcount:
        cursor.execute(_STATISTICS, event)


def rank(cursor: Any, value: bytes | None) -> None:
    event = decode(value)
    score = score_of(event)
    if score is None:
        return
    cursor.execute(_CLAIM.format("leaderboards_applied_events"), [event["event_id"]])
    if cursor.rowcount:
        at = event["timestamp"]
        rows = [(*entry, score, -score, at) for entry in entries_of(event)]
        cursor.execute(_ENTRIES, [value for row in rows for value in row])


APPLY: Final[dict[str, Callable[[Any, bytes | None], None]]] = {
    "logging": log,
    "stats": count,
    "leaderboards": rank,
}


def work(order: Order) -> None:
    """Apply every message, each in a transaction of its own."""
    apply, clock, left = APPLY[order.job], Clock(), order.messages
    connection = psycopg2.connect(order.database)
    consumer = order.consumer()
    clock.wait_for_go()
    consumer.subscribe([order.topic])
    while left:
        message = consumer.poll(1.0)
        if message is None:
            continue
        clock.first()
        if order.holds(message):
            with connection, connection.cursor() as cursor:
                apply(cursor, message.value())
            consumer.store_offsets(message)
            left -= 1
    clock.done()
    consumer.close()
    connection.close()


def run(rig: BenchRig, events: int) -> PeerResult:
    return Crew(name="plain", jobs=JOBS, argv=module(__name__)).run(rig, events)


if __name__ == "__main__":
    work(Order.of_process())
