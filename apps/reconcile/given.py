"""What each consumer was given for an event id: the one place that knows.

The log's row; where logging could not apply the event, its dead letter's. A dead letter of the
consumer that was edited and then applied supersedes both, for that consumer alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from django.db import connection

from apps.contract.chunk import Record
from apps.contract.envelope import Event
from apps.contract.queues import Consumer

# Parameters: game_id; player_ids or NULL for all. {ledger} restricts to what is applied.
_GIVEN: Final = """
SELECT e.event_id, e.player_id, e.event_type, e.event_timestamp AS at, e.data
  FROM events AS e {ledger_of_log}
 WHERE e.game_id = %(game_id)s
   AND (%(players)s::text[] IS NULL OR e.player_id = ANY(%(players)s::text[]))
   AND (%(types)s::text[] IS NULL OR e.event_type = ANY(%(types)s::text[]))
UNION ALL
SELECT d.event_id, d.player_id, d.event_type, (d.original_event->>'timestamp')::timestamptz,
       d.original_event->'data'
  FROM dlq_events AS d {ledger_of_letters}
 WHERE d.consumer_service = 'logging' AND d.game_id = %(game_id)s
   AND jsonb_typeof(d.original_event) = 'object'
   AND (%(players)s::text[] IS NULL OR d.player_id = ANY(%(players)s::text[]))
   AND (%(types)s::text[] IS NULL OR d.event_type = ANY(%(types)s::text[]))
   AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = d.event_id)
"""
_RECORDS: Final = """
SELECT e.event_id::text, e.event_type, e.player_id, e.game_id, e.event_timestamp, e.ingested_at,
       e.event_version, e.session_id, e.sent_at, e.data::text
  FROM events AS e WHERE e.event_id = ANY(%(ids)s::uuid[]) ORDER BY e.event_id
"""
_LETTERS: Final = """
SELECT DISTINCT ON (event_id) event_id::text, raw FROM dlq_events
 WHERE event_id = ANY(%(ids)s::uuid[])
 ORDER BY event_id, consumer_service = %(consumer)s DESC, consumer_service = 'logging' DESC
"""
# The consumer's own ledger; for logging the log itself.
LEDGERS: Final = {
    Consumer.LOGGING: "events",
    Consumer.STATS: "stats_applied_events",
    Consumer.LEADERBOARDS: "leaderboards_applied_events",
}
_event = msgspec.json.Decoder(Event)


def applied(consumer: Consumer) -> str:
    """SQL: event_id, player_id, event_type, at, data of what `consumer` has applied.

    Parameters game_id, players and types; NULL means all.
    """
    ledger = LEDGERS[consumer]
    return _GIVEN.format(
        ledger_of_log=f"JOIN {ledger} AS l ON l.event_id = e.event_id",
        ledger_of_letters=f"JOIN {ledger} AS l ON l.event_id = d.event_id",
    )


def records(consumer: Consumer, event_ids: Iterable[str]) -> list[Record]:
    """The events as `consumer` was given them, in the order of their ids; offsets are not known.

    An id that is nowhere is left out.
    """
    wanted = {"ids": sorted(event_ids), "consumer": consumer.value}
    found: dict[str, Record] = {}
    with connection.cursor() as cursor:
        cursor.execute(_LETTERS, wanted)
        for event_id, raw in cursor.fetchall():
            found[event_id] = Record.of(_event.decode(bytes(raw)), -1)
        cursor.execute(_RECORDS, wanted)
        for row in cursor.fetchall():
            found[row[0]] = _record(row)
    return [found[event_id] for event_id in sorted(found)]


def _record(row: tuple[Any, ...]) -> Record:
    return Record(
        offset=-1,
        event_id=row[0],
        event_type=row[1],
        player_id=row[2],
        game_id=row[3],
        timestamp=row[4],
        ingested_at=row[5],
        event_version=row[6],
        session_id=row[7],
        sent_at=row[8],
        data=msgspec.Raw(row[9].encode()),
    )
