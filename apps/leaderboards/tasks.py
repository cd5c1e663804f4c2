"""The doors of the `leaderboards` queue."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.contract.queues import Consumer
from apps.leaderboards.services import LeaderboardsConsumer
from apps.ledger.door import receive, receive_letters


@shared_task(name=Consumer.LEADERBOARDS.task, queue=Consumer.LEADERBOARDS.queue)
def apply_chunk(**message: Any) -> None:
    """Apply chunks; `message` is what `apps.contract.chunk.to_message` made."""
    receive(LeaderboardsConsumer(), message)


@shared_task(name=Consumer.LEADERBOARDS.replay_task, queue=Consumer.LEADERBOARDS.queue)
def replay_letters(**message: Any) -> None:
    """Replay dead letters; `message` is `{"letters": [ids]}`."""
    receive_letters(LeaderboardsConsumer(), message)
