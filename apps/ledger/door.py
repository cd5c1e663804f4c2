"""What the three task doors share: from a message on the queue to a persisted chunk."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from celery.worker import state
from django.conf import settings

from apps.contract.chunk import Chunk, ChunkInvalid, from_message
from apps.contract.seal import SealBroken, unsealed
from apps.failpoints.points import Failpoint, reach
from apps.ledger.persistence import persist
from apps.ledger.services import ChunkConsumer
from apps.monitoring import metrics
from apps.monitoring.progress import Progress

logger = logging.getLogger(__name__)

# An idle worker beats with Celery's event heartbeat (2 s); a busy one at each chunk and at each
# try. A statement cannot take longer than statement_timeout (30 s).
progress: Final = Progress(within_seconds=60.0)


def receive(consumer: ChunkConsumer, message: Mapping[str, Any]) -> None:
    """Persist the chunk of a message. Raises GivenUp; the bridge sends again.

    A message that the bridge did not send is refused: the real one comes by its lease.
    """
    chunk = _opened(consumer, message)
    if chunk is None:
        return
    reach(Failpoint.WORKER_RECEIVED, consumer.name.value)
    persist(consumer, chunk, stopping=_stopping, beat=progress.beat)
    reach(Failpoint.WORKER_DONE, consumer.name.value)
    progress.beat()


def _opened(consumer: ChunkConsumer, message: Mapping[str, Any]) -> Chunk | None:
    try:
        return from_message(unsealed(message, consumer.name, settings.CHUNK_SIGNING_KEY))
    except SealBroken as error:
        reason, why = "seal", str(error)
    except ChunkInvalid as error:
        reason, why = "shape", str(error)
    name = consumer.name.value
    metrics.queue_messages_refused.labels(consumer=name, reason=reason).inc()
    logger.error(
        "message refused that is not the bridge's",
        extra={"consumer": name, "reason": reason, "error": why},
    )
    return None


def _stopping() -> bool:
    # 0 is an exit code too: False and None alone mean "go on".
    return any(
        flag is not None and flag is not False
        for flag in (state.should_stop, state.should_terminate)
    )
