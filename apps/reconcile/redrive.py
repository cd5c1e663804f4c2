"""Driving events again through their consumer's own door: claims, rules, dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import connection, transaction

from apps.contract.chunk import Record, encode_records
from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.events.services import LoggingConsumer
from apps.leaderboards.services import LeaderboardsConsumer
from apps.ledger.failures import cause_of
from apps.ledger.services import Applied, ChunkConsumer, apply_records
from apps.reconcile.given import LEDGERS
from apps.reconcile.letters import Place, store_refused
from apps.stats.services import StatsConsumer

CONSUMERS: Final[Mapping[Consumer, ChunkConsumer]] = {
    Consumer.LOGGING: LoggingConsumer(),
    Consumer.STATS: StatsConsumer(),
    Consumer.LEADERBOARDS: LeaderboardsConsumer(),
}


def append(place: Place, records: Sequence[Record]) -> None:
    """Apply Kafka's events to the log; what it refuses becomes a dead letter of logging."""
    with transaction.atomic():
        # An applied dead letter whose row is gone would keep a new one out.
        _reopen(Consumer.LOGGING, records)
        result = apply_records(CONSUMERS[Consumer.LOGGING], list(records))
        _store(Consumer.LOGGING, result, {r.event_id: (place, r.offset) for r in records})
        _settle_letters(Consumer.LOGGING, records, result)


def replace(record: Record) -> None:
    """Write the log's row anew from Kafka's event."""
    with transaction.atomic():
        Event.objects.filter(pk=record.event_id).delete()
        Event.objects.append(encode_records([record]))


def again(
    consumer: Consumer, records: Sequence[Record], places: dict[str, tuple[Place, int]]
) -> Applied:
    """Apply the events anew, in the caller's transaction, whatever the ledger says of them.

    Afterwards each is in the ledger or in the consumer's open dead letters, never in both. The
    caller writes the projection absolutely in the same transaction: an effect that was there
    already counts twice until then.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {LEDGERS[consumer]} WHERE event_id = ANY(%s::uuid[])",
            [sorted(record.event_id for record in records)],
        )
    _reopen(consumer, records)
    result = apply_records(CONSUMERS[consumer], list(records))
    _store(consumer, result, places)
    _settle_letters(consumer, records, result)
    return result


def mark_applied(consumer: Consumer, event_ids: Sequence[str]) -> None:
    """Dead letters of what is applied are not open any more."""
    DeadLetter.objects.filter(
        consumer_service=consumer.value,
        event_id__in=event_ids,
        state__in=(DeadLetter.State.OPEN, DeadLetter.State.REPLAYING),
    ).update(state=DeadLetter.State.APPLIED)


def _reopen(consumer: Consumer, records: Sequence[Record]) -> None:
    DeadLetter.objects.filter(
        consumer_service=consumer.value,
        event_id__in=[record.event_id for record in records],
        state=DeadLetter.State.APPLIED,
    ).update(state=DeadLetter.State.OPEN)


def _settle_letters(consumer: Consumer, records: Sequence[Record], result: Applied) -> None:
    refused = {record.event_id for record, _ in result.refused}
    mark_applied(consumer, [r.event_id for r in records if r.event_id not in refused])


def _store(consumer: Consumer, result: Applied, places: dict[str, tuple[Place, int]]) -> None:
    refused = [(record, error, cause_of(error)) for record, error in result.refused]
    store_refused(consumer, refused, places)
