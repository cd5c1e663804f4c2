"""Refused messages and their dead letters."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from apps.contract.chunk import Chunk, Record, Refused
from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters import services as dead_letters
from apps.deadletters import transitions
from apps.deadletters.models import DeadLetter
from apps.reconcile.findings import Finding, Kind, Part

# Who, in the audit of dead letters.
BY: Final = "reconcile"
# Where an event lies that Kafka no longer has: no partition has this number.
NOWHERE: Final = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Coordinates on a topic."""

    topic: str
    topic_id: uuid.UUID
    partition: int

    def chunk(self) -> Chunk:
        """An empty chunk of this place: what dead letters take their coordinates from."""
        return Chunk(
            topic=self.topic,
            topic_id=self.topic_id,
            partition=self.partition,
            first_offset=0,
            next_offset=0,
            events=0,
            records="[]",
            accepted_at=[],
        )


def compare(place: Place, refused: Sequence[Refused], *, repair: bool) -> list[Finding]:
    """Whether each refused message has its dead letter with its bytes; mends where not."""
    rows = DeadLetter.objects.filter(
        consumer_service=BRIDGE,
        topic_id=place.topic_id,
        partition=place.partition,
        offset__in=[message.offset for message in refused],
    )
    held = {offset: bytes(raw) for offset, raw in rows.values_list("offset", "raw")}
    found = []
    for message in refused:
        raw = held.get(message.offset)
        if raw == message.raw:
            continue
        if repair:
            _mend(place, message)
        found.append(
            Finding(
                part=Part.KAFKA,
                kind=Kind.LETTER_MISSING if raw is None else Kind.LETTER_DIFFERS,
                consumer=BRIDGE,
                where=f"{place.topic}/{place.partition}/{message.offset}",
                expected=f"a dead letter of {len(message.raw):,} bytes ({message.code})",
                found="none" if raw is None else f"one of {len(raw):,} other bytes",
                remedy="store it from Kafka",
                repaired=repair,
            )
        )
    return found


def _mend(place: Place, message: Refused) -> None:
    letter = dead_letters.of_message(place.chunk(), message)
    with transaction.atomic():
        dead_letters.store([letter])
        stored = DeadLetter.objects.get(
            consumer_service=BRIDGE,
            topic_id=place.topic_id,
            partition=place.partition,
            offset=message.offset,
        )
        # Stored before, and changed since: the bytes are Kafka's, state and history are its own.
        transitions.restore(stored.pk, letter.raw, letter.original_event, by=BY)


def store_refused(
    consumer: Consumer,
    refused: Sequence[tuple[Record, Exception, str]],
    places: dict[str, tuple[Place, int]],
) -> None:
    """Dead letters of events that `consumer` refused when they were driven again.

    (record, error, cause) each; `places` has the coordinates of those that Kafka retains.
    """
    letters = []
    known = of_events(consumer, [record.event_id for record, _, _ in refused])
    for record, error, cause in refused:
        stored = known.get(record.event_id)
        if stored is not None:
            # As of a replay that fails: the letter says why the event has no effect.
            transitions.take_back(
                stored, by=BY, cause=cause, error=str(error), exception=type(error).__name__
            )
            continue
        # Unique by coordinates: where none are known, the event itself stands in.
        nowhere = Place(topic="", topic_id=uuid.UUID(record.event_id), partition=NOWHERE)
        place, offset = places.get(record.event_id, (nowhere, 0))
        at = Record.of(record.event(), offset)
        letters.append(dead_letters.of_event(consumer, place.chunk(), at, error, cause=cause))
    dead_letters.store(letters)


def of_events(
    consumer: Consumer, event_ids: Sequence[str], *, lock: bool = False
) -> dict[str, int]:
    """The consumer's dead letters of these events: event id -> letter, in the letters' order."""
    found = DeadLetter.objects.filter(consumer_service=consumer.value, event_id__in=event_ids)
    rows = (found.select_for_update(of=("self",)) if lock else found).order_by("id")
    return {str(event_id): pk for event_id, pk in rows.values_list("event_id", "pk")}
