"""What each consumer was given for an event id, as records (`apps.ledger.given` has the SQL)."""

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
_event = msgspec.json.Decoder(Event)


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
