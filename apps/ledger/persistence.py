"""Hold a chunk through outages: wait and try again, and never dead-letter what is not poison."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError, connection

from apps.contract.chunk import Chunk, epoch
from apps.ledger import attempts, breakers
from apps.ledger.breaker import Line
from apps.ledger.breakers import BreakerTripped
from apps.ledger.cache import CacheUnavailable
from apps.ledger.crashes import ATTEMPTS_OF_CHUNK, StoppedHalfway, apply_by_event
from apps.ledger.failures import Failure, classify
from apps.ledger.services import ChunkConsumer, Outcome, apply_chunk, write_cache
from apps.ledger.together import apply_together
from apps.monitoring import metrics

logger = logging.getLogger(__name__)

FIRST_WAIT: Final = 0.05  # seconds
LONGEST_WAIT: Final = 2.0  # seconds
# The bridge sends the chunk again after its lease, perhaps to a worker that can do better.
HELD_AT_MOST: Final = 120.0  # seconds


class GivenUp(Exception):
    """The chunk could not be applied within the time that a worker may hold it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One message in the hands of one process.

    `repeated`: the chunk was sent or handed out before, and may have killed who had it. `stopping`
    tells that the process was asked to end; `beat` that it is alive though it waits.
    """

    consumer: ChunkConsumer
    chunk: Chunk
    line: Line
    stopping: Callable[[], bool]
    beat: Callable[[], None]
    repeated: bool = False


def persist(delivery: Delivery) -> Outcome:
    """Apply the chunk, waiting out outages and deploy faults.

    Raises GivenUp; the chunk is then not done, and the bridge sends it again. Raises MemoryError
    at once: only another process can do better.
    """
    began = time.monotonic()
    wait = FIRST_WAIT
    while True:
        delivery.beat()
        try:
            return _measured(delivery)
        except MemoryError:
            raise
        except Exception as error:
            failure = classify(error)
            if not isinstance(error, StoppedHalfway):
                _report(delivery.consumer, failure, error)
            # A broken connection stays broken, and after a failover points to the old primary.
            connection.close()
            _note(delivery, error)
            if delivery.stopping() or time.monotonic() - began > HELD_AT_MOST:
                raise GivenUp(f"{delivery.consumer.name}: {failure}: {error}") from error
        _pause(wait * random.uniform(0.5, 1.0), delivery.stopping)
        wait = min(wait * 2, LONGEST_WAIT)


def persist_together(consumer: ChunkConsumer, chunks: Sequence[Chunk], line: Line) -> bool:
    """Apply chunks that come for the first time, and write Redis; False where `persist` has to see
    to each of them. Raises MemoryError."""
    with metrics.database_write.labels(consumer=consumer.name.value).time():
        changes = apply_together(consumer, chunks)
    if changes is None:
        return False
    line.in_a_row = 0
    try:
        for chunk in chunks:
            _count(consumer, chunk, line, Outcome(applied=chunk.events))
        write_cache(consumer, chunks, changes)
    except (DatabaseError, CacheUnavailable):
        # They are committed; who finds them done repeats what comes after.
        connection.close()
        return False
    return True


def _measured(delivery: Delivery) -> Outcome:
    with metrics.database_write.labels(consumer=delivery.consumer.name.value).time():
        outcome = _applied(delivery)
    _count(delivery.consumer, delivery.chunk, delivery.line, outcome)
    return outcome


def _count(consumer: ChunkConsumer, chunk: Chunk, line: Line, outcome: Outcome) -> None:
    """Tell of a chunk that is done."""
    name = consumer.name.value
    if not (line.settled or outcome.redelivered or outcome.permitted):
        breakers.reset(consumer.name, datetime.now(UTC))
        line.settled = True
        metrics.breaker_tripped.labels(consumer=name).set(0)
    metrics.consumer_stopped.labels(consumer=name).set(0)
    if not outcome.redelivered:
        now = epoch(datetime.now(UTC))
        metrics.processing_latency.labels(consumer=name).observe_all(
            [max(0.0, now - accepted) for accepted in chunk.accepted_at]
        )
        processed = metrics.events_processed
        processed.labels(consumer=name, outcome="applied").inc(outcome.applied)
        processed.labels(consumer=name, outcome="duplicate").inc(outcome.duplicates)
        processed.labels(consumer=name, outcome="dead").inc(outcome.dead)
        if outcome.dead:
            metrics.errors.labels(consumer=name, cause=Failure.POISON.value).inc(outcome.dead)


def _applied(delivery: Delivery) -> Outcome:
    consumer, chunk, line = delivery.consumer, delivery.chunk, delivery.line
    # A first delivery costs no statement more; a chunk that is done has no attempts.
    attempt = attempts.begin(consumer.name, chunk) if delivery.repeated else 0
    if attempt >= ATTEMPTS_OF_CHUNK:
        return apply_by_event(consumer, chunk, line, stopping=delivery.stopping, beat=delivery.beat)
    return apply_chunk(consumer, chunk, line)


def _note(delivery: Delivery, error: Exception) -> None:
    """Write down what the rolled back transaction could not; nothing depends on it."""
    try:
        if delivery.repeated:
            attempts.survived(delivery.consumer.name, delivery.chunk)
        if isinstance(error, BreakerTripped):
            delivery.line.settled = False
            breakers.trip(error, datetime.now(UTC))
    except DatabaseError as unwritten:
        connection.close()
        logger.info("failure not noted", extra={"error": str(unwritten)})


def _report(consumer: ChunkConsumer, failure: Failure, error: Exception) -> None:
    name = consumer.name.value
    metrics.errors.labels(consumer=name, cause=failure.value).inc()
    if failure is Failure.OUTAGE:
        logger.warning("chunk waits for a server", extra={"consumer": name, "error": str(error)})
        return
    metrics.consumer_stopped.labels(consumer=name).set(1)
    if isinstance(error, BreakerTripped):
        metrics.breaker_tripped.labels(consumer=name).set(1)
        logger.critical(
            "consumer stopped by its breaker",
            extra={"consumer": name, "error": str(error), "sample": error.sample},
        )
    else:
        logger.critical(
            "consumer stopped by a deploy fault", extra={"consumer": name}, exc_info=error
        )


def _pause(seconds: float, stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not stopping() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
