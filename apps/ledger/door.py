"""What the three consumers' task doors share: from a message on the queue to its effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from celery.worker import state

from apps.contract.chunk import from_message
from apps.failpoints.points import Failpoint, reach
from apps.ledger.persistence import persist
from apps.ledger.replays import replay
from apps.ledger.services import ChunkConsumer
from apps.monitoring.progress import Progress

# An idle worker beats with Celery's event heartbeat (2 s); a busy one at each chunk and at each
# try. A statement cannot take longer than statement_timeout (30 s).
progress: Final = Progress(within_seconds=60.0)


def receive(consumer: ChunkConsumer, message: Mapping[str, Any]) -> None:
    """Persist the chunk of a message. Raises ChunkInvalid, GivenUp; the bridge sends again."""
    chunk = from_message(message)
    reach(Failpoint.WORKER_RECEIVED, consumer.name.value)
    persist(consumer, chunk, stopping=_stopping, beat=progress.beat)
    reach(Failpoint.WORKER_DONE, consumer.name.value)
    progress.beat()


def receive_letters(consumer: ChunkConsumer, message: Mapping[str, Any]) -> None:
    """Replay the dead letters of a message. Raises LettersLeft; the bridge sends again."""
    replay(consumer, message["letters"], stopping=_stopping, beat=progress.beat)
    progress.beat()


def _stopping() -> bool:
    # 0 is an exit code too: False and None alone mean "go on".
    return any(
        flag is not None and flag is not False
        for flag in (state.should_stop, state.should_terminate)
    )
