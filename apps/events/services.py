"""The logging consumer: append each event once."""

from __future__ import annotations

from typing import Any

from apps.contract.queues import Consumer
from apps.events.models import Event
from apps.ledger.services import Applied


class LoggingConsumer:
    """The log's primary key is its applied-event ledger; it has no cache."""

    name = Consumer.LOGGING

    def apply(self, records: str) -> Applied:
        return Applied(applied=Event.objects.append(records), changes=[])

    def refresh(self, changes: list[Any]) -> None:
        """Nothing reads the log from Redis."""

    def changes_of(self, records: str) -> list[Any]:
        return []
