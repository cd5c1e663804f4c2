"""Driving events again through their consumer's own door: claims, rules, dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import connection, transaction

from apps.contract.chunk import Record, encode_records
from apps.contract.queues import Consumer
from apps.deadletters import transitions
from apps.events.models import Event
from apps.events.services import LoggingConsumer
from apps.leaderboards.services import LeaderboardsConsumer
from apps.ledger.failures import cause_of
from apps.ledger.given import LEDGERS
from apps.ledger.services import Applied, ChunkConsumer, apply_records
from apps.reconcile.given import instead_of
from apps.reconcile.letters import BY, Place, of_events, store_refused
from apps.stats.services import StatsConsumer

CONSUMERS: Final[Mapping[Consumer, ChunkConsumer]] = {
    Consumer.LOGGING: LoggingConsumer(),
    Consumer.STATS: StatsConsumer(),
    Consumer.LEADERBOARDS: LeaderboardsConsumer(),
}


def append(place: Place, records: Sequence[Record]) -> None:
    """Apply Kafka's events, or what logging was given instead, to the log.

    What it refuses becomes a dead letter of logging.
    """
    given = instead_of(Consumer.LOGGING, records)
    with transaction.atomic():
        of_events(Consumer.LOGGING, [record.event_id for record in given], lock=True)
        result = apply_records(CONSUMERS[Consumer.LOGGING], given)
        places = {record.event_id: (place, record.offset) for record in given}
        _close(Consumer.LOGGING, given, result, places)


def replace(record: Record) -> None:
    """Write the log's row anew."""
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
    result = apply_records(CONSUMERS[consumer], list(records))
    _close(consumer, records, result, places)
    return result


def mark_applied(consumer: Consumer, event_ids: Sequence[str]) -> None:
    """Dead letters of what is applied otherwise are not open any more."""
    transitions.settle(list(of_events(consumer, event_ids).values()), by=BY)


def _close(
    consumer: Consumer,
    records: Sequence[Record],
    result: Applied,
    places: dict[str, tuple[Place, int]],
) -> None:
    refused = {record.event_id for record, _ in result.refused}
    mark_applied(consumer, [r.event_id for r in records if r.event_id not in refused])
    store_refused(
        consumer, [(record, error, cause_of(error)) for record, error in result.refused], places
    )
