"""The doors of the `stats` queue."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.contract.queues import Consumer
from apps.ledger.door import receive, receive_letters
from apps.stats.services import StatsConsumer


@shared_task(name=Consumer.STATS.task, queue=Consumer.STATS.queue)
def apply_chunk(**message: Any) -> None:
    """Apply chunks; `message` is what `apps.contract.chunk.to_message` made."""
    receive(StatsConsumer(), message)


@shared_task(name=Consumer.STATS.replay_task, queue=Consumer.STATS.queue)
def replay_letters(**message: Any) -> None:
    """Replay dead letters; `message` is `{"letters": [ids]}`."""
    receive_letters(StatsConsumer(), message)
