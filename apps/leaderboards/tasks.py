"""The door of the `leaderboards` queue."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.contract.queues import Consumer
from apps.leaderboards.services import LeaderboardsConsumer
from apps.ledger.door import receive


@shared_task(name=Consumer.LEADERBOARDS.task, queue=Consumer.LEADERBOARDS.queue)
def apply_chunk(**message: Any) -> None:
    """Apply one chunk; `message` is what `apps.contract.chunk.to_message` made."""
    receive(LeaderboardsConsumer(), message)
