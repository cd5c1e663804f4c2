"""What the three consumers' task doors share: from a message on the queue to its effect."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from celery import current_task
from celery.worker import state
from django.conf import settings

from apps.contract.chunk import Chunk, ChunkInvalid, from_message
from apps.contract.queues import Consumer
from apps.contract.seal import SealBroken, unsealed
from apps.failpoints.points import Failpoint, reach
from apps.ledger.breaker import Line
from apps.ledger.persistence import Delivery, persist, persist_together
from apps.ledger.replays import replay
from apps.ledger.services import ChunkConsumer
from apps.monitoring import metrics
from apps.monitoring.progress import Progress

logger = logging.getLogger(__name__)

# An idle worker beats with Celery's event heartbeat (2 s); a busy one at each chunk and at each
# try. A statement cannot take longer than statement_timeout (30 s).
progress: Final = Progress(within_seconds=60.0)
# EX_OSERR of sysexits.h: what the supervisor sees of a process that had no memory left.
OUT_OF_MEMORY: Final = 71
_lines: Final = {consumer: Line() for consumer in Consumer}


def receive(consumer: ChunkConsumer, message: Mapping[str, Any]) -> None:
    """Persist the chunks of a message. Raises GivenUp; the bridge sends again.

    A message that the bridge did not send is refused: the real one comes by its lease. Without
    memory the process ends at once: what it holds is unknown, and its end is what counts against
    the chunk.
    """
    try:
        chunks = _opened(consumer, message)
        if chunks:
            _receive(consumer, chunks)
    except MemoryError:
        try:
            logger.critical("no memory left", extra={"consumer": consumer.name.value})
        finally:
            os._exit(OUT_OF_MEMORY)


def _receive(consumer: ChunkConsumer, chunks: Sequence[Chunk]) -> None:
    reach(Failpoint.WORKER_RECEIVED, consumer.name.value)
    line, redelivered = _lines[consumer.name], _redelivered()
    # What came before may be what killed who had it: each chunk by itself.
    new = not redelivered and all(chunk.sent == 0 for chunk in chunks)
    if not (new and len(chunks) > 1 and persist_together(consumer, chunks, line)):
        for chunk in chunks:
            persist(
                Delivery(
                    consumer=consumer,
                    chunk=chunk,
                    line=line,
                    stopping=_stopping,
                    beat=progress.beat,
                    repeated=chunk.sent > 0 or redelivered,
                )
            )
    reach(Failpoint.WORKER_DONE, consumer.name.value)
    progress.beat()


def receive_letters(consumer: ChunkConsumer, message: Mapping[str, Any]) -> None:
    """Replay the dead letters of a message. Raises LettersLeft; the bridge sends again."""
    fields = _unsealed(consumer, message)
    if fields is not None:
        replay(consumer, fields["letters"], stopping=_stopping, beat=progress.beat)
    progress.beat()


def _opened(consumer: ChunkConsumer, message: Mapping[str, Any]) -> list[Chunk]:
    fields = _unsealed(consumer, message)
    if fields is None:
        return []
    try:
        return from_message(fields)
    except ChunkInvalid as error:
        _refuse(consumer, "shape", error)
        return []


def _unsealed(consumer: ChunkConsumer, message: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return unsealed(message, consumer.name, settings.CHUNK_SIGNING_KEY)
    except SealBroken as error:
        _refuse(consumer, "seal", error)
        return None


def _refuse(consumer: ChunkConsumer, reason: str, error: Exception) -> None:
    name = consumer.name.value
    metrics.queue_messages_refused.labels(consumer=name, reason=reason).inc()
    logger.error(
        "message refused that is not the bridge's",
        extra={"consumer": name, "reason": reason, "error": str(error)},
    )


def _redelivered() -> bool:
    """Whether Celery handed this very message out before."""
    delivered = current_task.request.delivery_info if current_task else None
    return bool(delivered and delivered.get("redelivered"))


def _stopping() -> bool:
    # 0 is an exit code too: False and None alone mean "go on".
    return any(
        flag is not None and flag is not False
        for flag in (state.should_stop, state.should_terminate)
    )
