"""The doors of the `logging` queue."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.contract.queues import Consumer
from apps.events.services import LoggingConsumer
from apps.ledger.door import receive, receive_letters


@shared_task(name=Consumer.LOGGING.task, queue=Consumer.LOGGING.queue)
def apply_chunk(**message: Any) -> None:
    """Apply chunks; `message` is what `apps.contract.chunk.to_message` made."""
    receive(LoggingConsumer(), message)


@shared_task(name=Consumer.LOGGING.replay_task, queue=Consumer.LOGGING.queue)
def replay_letters(**message: Any) -> None:
    """Replay dead letters; `message` is `{"letters": [ids]}`."""
    receive_letters(LoggingConsumer(), message)
