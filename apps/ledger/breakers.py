"""The breakers' rows: why a consumer was stopped, and who lets it through."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F, Q

from apps.contract.queues import Consumer
from apps.ledger.breaker import Verdict
from apps.ledger.models import ConsumerBreaker

logger = logging.getLogger(__name__)
LONGEST_PERMIT: Final = timedelta(days=1)
SAMPLE: Final = 5  # events
_ALLOWED = """
SELECT 1 FROM consumer_breakers WHERE consumer = %s AND allowed_until > clock_timestamp()
"""


class BreakerTripped(Exception):
    """The consumer would dead-letter more than a tenth of a chunk and more than 20 in a row."""

    def __init__(self, consumer: Consumer, verdict: Verdict, sample: Sequence[Any]) -> None:
        super().__init__(
            f"{consumer}: {verdict.dead} of {verdict.events} events of a chunk cannot be applied,"
            f" {verdict.longest} in a row"
        )
        self.consumer = consumer
        self.sample = list(sample[:SAMPLE])


class PermitInvalid(ValueError):
    """A permit is for a minute to a day, and bears a name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Permit:
    """Somebody's decision that a consumer may dead-letter until then."""

    until: datetime
    by: str

    @classmethod
    def of(cls, *, minutes: int, by: str, now: datetime) -> Permit:
        if not timedelta() < timedelta(minutes=minutes) <= LONGEST_PERMIT or not by.strip():
            raise PermitInvalid(PermitInvalid.__doc__)
        return cls(until=now + timedelta(minutes=minutes), by=by.strip())


def is_allowed(consumer: Consumer) -> bool:
    """Whether the consumer may dead-letter whatever it cannot apply."""
    with connection.cursor() as cursor:
        cursor.execute(_ALLOWED, [consumer.value])
        return cursor.fetchone() is not None


def trip(error: BreakerTripped, now: datetime) -> None:
    """Show that the consumer is stopped, and why; the first moment of a stop stays."""
    with transaction.atomic():
        breaker, _ = ConsumerBreaker.objects.select_for_update().get_or_create(
            consumer=error.consumer.value
        )
        if not breaker.tripped:
            breaker.tripped_at = now
        breaker.cause, breaker.sample = str(error), error.sample
        breaker.save(update_fields=["tripped_at", "cause", "sample"])


def reset(consumer: Consumer, now: datetime) -> bool:
    """Show that the consumer goes on; whether it was stopped."""
    stopped = Q(reset_at__isnull=True) | Q(reset_at__lt=F("tripped_at"))
    rows = ConsumerBreaker.objects.filter(stopped, consumer=consumer, tripped_at__isnull=False)
    return bool(rows.update(reset_at=now))


def allow(consumer: Consumer, permit: Permit) -> None:
    """Let the consumer through: until then it dead-letters what it cannot apply."""
    ConsumerBreaker.objects.update_or_create(
        consumer=consumer.value,
        defaults={"allowed_until": permit.until, "allowed_by": permit.by},
    )
    logger.warning(
        "consumer is let through by an operator",
        extra={"consumer": consumer.value, "until": permit.until.isoformat(), "by": permit.by},
    )
