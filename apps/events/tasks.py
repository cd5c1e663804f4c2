"""The door of the `logging` queue."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.contract.queues import Consumer
from apps.events.services import LoggingConsumer
from apps.ledger.door import receive


@shared_task(name=Consumer.LOGGING.task, queue=Consumer.LOGGING.queue)
def apply_chunk(**message: Any) -> None:
    """Apply one chunk; `message` is what `apps.contract.chunk.to_message` made."""
    receive(LoggingConsumer(), message)
