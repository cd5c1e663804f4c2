"""Hold a chunk through outages: wait and try again, and never dead-letter what is not poison."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from django.db import connection

from apps.contract.chunk import Chunk, epoch
from apps.ledger.failures import Failure, classify
from apps.ledger.services import ChunkConsumer, Outcome, apply_chunk
from apps.monitoring import metrics

logger = logging.getLogger(__name__)

FIRST_WAIT: Final = 0.05  # seconds
LONGEST_WAIT: Final = 2.0  # seconds
# Below the broker's visibility timeout (300 s), or the message would be handed out twice while
# held. The bridge sends the chunk again after its lease.
HELD_AT_MOST: Final = 120.0  # seconds


class GivenUp(Exception):
    """The chunk could not be applied within the time that a worker may hold it."""


def persist(
    consumer: ChunkConsumer,
    chunk: Chunk,
    *,
    stopping: Callable[[], bool],
    beat: Callable[[], None],
) -> Outcome:
    """Apply the chunk, waiting out outages and deploy faults.

    `stopping` tells that the process was asked to end; `beat` that it is alive though it waits.
    Raises GivenUp; the chunk is then not done, and the bridge sends it again.
    """
    began = time.monotonic()
    wait = FIRST_WAIT
    while True:
        beat()
        try:
            return _measured(consumer, chunk)
        except Exception as error:
            failure = classify(error)
            _report(consumer, failure, error)
            # A broken connection stays broken, and after a failover points to the old primary.
            connection.close()
            if stopping() or time.monotonic() - began > HELD_AT_MOST:
                raise GivenUp(f"{consumer.name}: {failure}: {error}") from error
        _pause(wait * random.uniform(0.5, 1.0), stopping)
        wait = min(wait * 2, LONGEST_WAIT)


def _measured(consumer: ChunkConsumer, chunk: Chunk) -> Outcome:
    name = consumer.name.value
    with metrics.database_write.labels(consumer=name).time():
        outcome = apply_chunk(consumer, chunk)
    metrics.consumer_stopped.labels(consumer=name).set(0)
    if not outcome.redelivered:
        now = epoch(datetime.now(UTC))
        latency = metrics.processing_latency.labels(consumer=name)
        for accepted in chunk.accepted_at:
            latency.observe(max(0.0, now - accepted))
        processed = metrics.events_processed
        processed.labels(consumer=name, outcome="applied").inc(outcome.applied)
        processed.labels(consumer=name, outcome="duplicate").inc(outcome.duplicates)
        processed.labels(consumer=name, outcome="dead").inc(outcome.dead)
        if outcome.dead:
            metrics.errors.labels(consumer=name, cause=Failure.POISON.value).inc(outcome.dead)
    return outcome


def _report(consumer: ChunkConsumer, failure: Failure, error: Exception) -> None:
    name = consumer.name.value
    metrics.errors.labels(consumer=name, cause=failure.value).inc()
    if failure is Failure.OUTAGE:
        logger.warning("chunk waits for a server", extra={"consumer": name, "error": str(error)})
    else:
        metrics.consumer_stopped.labels(consumer=name).set(1)
        logger.critical(
            "consumer stopped by a deploy fault", extra={"consumer": name}, exc_info=error
        )


def _pause(seconds: float, stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not stopping() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
