"""What each consumer was given for an event id: the one place that knows.

The log's row; where logging could not apply the event, its dead letter's. A dead letter that was
edited and then applied stands before both for its own consumer; one of logging has put its edit
into the log, and the others were given the event as it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from django.db import connection

from apps.contract.chunk import Record
from apps.contract.envelope import Event
from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter
from apps.deadletters.replayable import event_of

# Parameters: game_id; players and types, or NULL for all. {ledger} has what is applied. An edit
# that is applied needs no claim to be known: its letter says so, and it may have made the event
# one that its consumer does not claim.
_GIVEN: Final = """
WITH edits AS MATERIALIZED (
  SELECT DISTINCT ON (d.event_id) d.event_id,
         convert_from(CASE WHEN d.consumer_service = '{consumer}' THEN d.edited ELSE d.raw END,
                      'UTF8')::jsonb AS event
    FROM dlq_events AS d
   WHERE d.consumer_service IN ('{consumer}', 'logging') AND d.event_id IS NOT NULL
     AND d.committed_at IS NOT NULL AND d.edited IS NOT NULL AND NOT d.duplicate
     AND (d.consumer_service = '{consumer}'
          OR EXISTS (SELECT 1 FROM {ledger} AS l WHERE l.event_id = d.event_id))
   ORDER BY d.event_id, d.consumer_service = '{consumer}' DESC
)
SELECT e.event_id, e.player_id, e.event_type, e.event_timestamp AS at, e.data
  FROM events AS e JOIN {ledger} AS l ON l.event_id = e.event_id
 WHERE e.game_id = %(game_id)s
   AND (%(players)s::text[] IS NULL OR e.player_id = ANY(%(players)s::text[]))
   AND (%(types)s::text[] IS NULL OR e.event_type = ANY(%(types)s::text[]))
   AND NOT EXISTS (SELECT 1 FROM edits AS x WHERE x.event_id = e.event_id)
UNION ALL
SELECT d.event_id, d.player_id, d.event_type, (d.original_event->>'timestamp')::timestamptz,
       convert_from(d.raw, 'UTF8')::jsonb->'data'
  FROM dlq_events AS d JOIN {ledger} AS l ON l.event_id = d.event_id
 WHERE d.consumer_service = 'logging' AND d.game_id = %(game_id)s
   AND jsonb_typeof(d.original_event) = 'object'
   AND (%(players)s::text[] IS NULL OR d.player_id = ANY(%(players)s::text[]))
   AND (%(types)s::text[] IS NULL OR d.event_type = ANY(%(types)s::text[]))
   AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = d.event_id)
   AND NOT EXISTS (SELECT 1 FROM edits AS x WHERE x.event_id = d.event_id)
UNION ALL
SELECT x.event_id, x.event->>'player_id', x.event->>'event_type',
       (x.event->>'timestamp')::timestamptz, coalesce(x.event->'data', '{{}}')
  FROM edits AS x
 WHERE x.event->>'game_id' = %(game_id)s
   AND (%(players)s::text[] IS NULL OR x.event->>'player_id' = ANY(%(players)s::text[]))
   AND (%(types)s::text[] IS NULL OR x.event->>'event_type' = ANY(%(types)s::text[]))
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
    return _GIVEN.format(consumer=consumer.value, ledger=LEDGERS[consumer])


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
    for event_id, event in _edits(consumer, found).items():
        found[event_id] = Record.of(event, -1)
    return [found[event_id] for event_id in sorted(found)]


def instead_of(consumer: Consumer, held: Sequence[Record]) -> list[Record]:
    """Kafka's records, with what `consumer` was given instead in place of some."""
    edits = _edits(consumer, [record.event_id for record in held])
    return [
        Record.of(edits[record.event_id], record.offset) if record.event_id in edits else record
        for record in held
    ]


def _edits(consumer: Consumer, event_ids: Iterable[str]) -> dict[str, Event]:
    letters = DeadLetter.objects.filter(
        consumer_service__in={consumer.value, Consumer.LOGGING.value},
        event_id__in=list(event_ids),
        committed_at__isnull=False,
        edited__isnull=False,
        duplicate=False,
    )
    own: dict[str, Event] = {}
    others: dict[str, Event] = {}
    for letter in letters:
        if letter.consumer_service == consumer.value:
            own[str(letter.event_id)] = event_of(letter)
        else:
            others[str(letter.event_id)] = _event.decode(bytes(letter.raw))
    return others | own


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
