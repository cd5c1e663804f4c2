"""See the breakers of the consumers, let one through, or show it as mended."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.contract.queues import Consumer
from apps.ledger import breakers
from apps.ledger.breakers import Permit, PermitInvalid
from apps.ledger.models import ConsumerBreaker


class Command(BaseCommand):
    """`breaker status | allow CONSUMER --minutes N --by NAME | reset CONSUMER`."""

    help = "Show, let through or reset the breaker of a consumer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("status", help="every consumer's breaker")
        allow = verbs.add_parser("allow", help="dead-letter whatever cannot be applied, for a time")
        allow.add_argument("consumer", choices=[str(consumer) for consumer in Consumer])
        allow.add_argument("--minutes", type=int, required=True)
        allow.add_argument("--by", required=True, help="who decides it")
        reset = verbs.add_parser("reset", help="show the consumer as going on")
        reset.add_argument("consumer", choices=[str(consumer) for consumer in Consumer])

    def handle(self, *args: Any, **options: Any) -> None:
        now = datetime.now(UTC)
        if options["verb"] == "status":
            self._status(now)
        elif options["verb"] == "allow":
            self._allow(Consumer(options["consumer"]), options["minutes"], options["by"], now)
        elif breakers.reset(Consumer(options["consumer"]), now):
            self.stdout.write(f"{options['consumer']}: reset")
        else:
            self.stdout.write(f"{options['consumer']}: was not tripped")

    def _status(self, now: datetime) -> None:
        rows = ConsumerBreaker.objects.in_bulk()
        for consumer in Consumer:
            self.stdout.write(f"{consumer}: {_told(rows.get(consumer.value), now)}")

    def _allow(self, consumer: Consumer, minutes: int, by: str, now: datetime) -> None:
        try:
            permit = Permit.of(minutes=minutes, by=by, now=now)
        except PermitInvalid as error:
            raise CommandError(str(error)) from error
        breakers.allow(consumer, permit)
        self.stdout.write(f"{consumer}: let through until {permit.until.isoformat()}")


def _told(breaker: ConsumerBreaker | None, now: datetime) -> str:
    if breaker is None or breaker.tripped_at is None:
        told = "never tripped"
    elif breaker.tripped:
        told = f"tripped at {breaker.tripped_at.isoformat()}: {breaker.cause}"
    else:
        told = f"goes through; tripped last at {breaker.tripped_at.isoformat()}"
    if breaker is not None and breaker.allowed_until is not None and breaker.allowed_until > now:
        told += f"; let through until {breaker.allowed_until.isoformat()} by {breaker.allowed_by}"
    return told
