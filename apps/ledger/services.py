"""Apply a chunk exactly once: one transaction, then the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import transaction

from apps.contract.chunk import Chunk, Record, decode_records, encode_records
from apps.contract.queues import Consumer
from apps.deadletters import services as dead_letters
from apps.deadletters import transitions
from apps.deadletters.services import Letter
from apps.failpoints.points import Failpoint, reach
from apps.ledger import breakers, chunks
from apps.ledger.breaker import Line, judge
from apps.ledger.breakers import BreakerTripped
from apps.ledger.failures import Failure, cause_of, classify, is_race


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What a consumer's writes did, inside the open transaction."""

    applied: int
    changes: list[Any]
    refused: tuple[tuple[Record, Exception], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of the chunk's events; all zero where the chunk was done before.

    `permitted`: the breaker would have stopped it, and an operator lets it through.
    """

    applied: int = 0
    duplicates: int = 0
    dead: int = 0
    redelivered: bool = False
    permitted: bool = False


class ChunkConsumer(Protocol):
    """One of the three consumers: its writes, and its part of the cache."""

    name: Consumer

    def apply(self, records: str) -> Applied:
        """Claim and apply the records that are not applied yet; runs in a transaction.

        Raises what PostgreSQL raises. An event that a rule refuses is returned, not raised,
        and not claimed, so that a replay works.
        """

    def refresh(self, changes: list[Any]) -> None:
        """Write the committed values of `changes` to Redis: absolute, versioned."""

    def changes_of(self, records: str) -> list[Any]:
        """The rows that the records touched, as they stand now (for a redelivery)."""


def apply_chunk(consumer: ChunkConsumer, chunk: Chunk, line: Line | None = None) -> Outcome:
    """Apply each event of the chunk once, or dead-letter it alone, and then write Redis.

    Raises on outage, on a deploy fault and BreakerTripped; nothing is committed then, or (Redis)
    the chunk is done and the same call repeats the Redis write.
    """
    line = Line() if line is None else line
    try:
        outcome, changes = _transact(consumer, chunk, line, bisect=False)
    except Exception as error:
        if classify(error) is not Failure.POISON:
            raise
        # The failed transaction is gone; only now is it worth the savepoints to find the event.
        outcome, changes = _transact(consumer, chunk, line, bisect=True)
    write_cache(consumer, [chunk], changes)
    return outcome


def write_cache(consumer: ChunkConsumer, carried: Sequence[Chunk], changes: list[Any]) -> None:
    """After the commit: bring Redis what the chunks changed. Raises CacheUnavailable."""
    reach(Failpoint.WORKER_COMMITTED, consumer.name.value)
    if changes:
        consumer.refresh(changes)
        reach(Failpoint.WORKER_CACHED, consumer.name.value)
        chunks.mark_cached(consumer.name, carried)


def _transact(
    consumer: ChunkConsumer, chunk: Chunk, line: Line, *, bisect: bool
) -> tuple[Outcome, list[Any]]:
    with transaction.atomic():
        if not chunks.claim(consumer.name, [chunk]):
            # A copy of what is all done is the usual case: whoever was slow is sent many.
            left = chunks.awaits_cache(consumer.name, chunk)
            return Outcome(redelivered=True), consumer.changes_of(chunk.records) if left else []
        reach(Failpoint.WORKER_CLAIMED, consumer.name.value)
        if bisect:
            result = bisected(consumer, decode_records(chunk.records))
        else:
            result = _apply(consumer, chunk.records)
        reach(Failpoint.WORKER_APPLIED, consumer.name.value)
        refused = len(result.refused)
        letters = letters_of(consumer.name, chunk, result)
        in_a_row, permitted = guard(consumer.name, line, letters, chunk) if letters else (0, False)
        dead = settle_letters(consumer.name, chunk, result, letters)
        outcome = Outcome(
            applied=result.applied,
            duplicates=chunk.events - result.applied - refused,
            dead=dead,
            permitted=permitted,
        )
        chunks.count(
            consumer.name,
            chunk,
            applied=outcome.applied,
            duplicates=outcome.duplicates,
            dead=refused,
            cached=not result.changes,
        )
        reach(Failpoint.WORKER_LETTERED, consumer.name.value)
    line.in_a_row = in_a_row
    return outcome, result.changes


def settle_letters(
    consumer: Consumer, chunk: Chunk, result: Applied, letters: Sequence[Letter]
) -> int:
    """Store the letters, how many; and close older ones of events that are applied by now."""
    refused = [record.event_id for record, _ in result.refused]
    transitions.close_repeated(consumer.value, chunk.records, refused)
    return dead_letters.store(letters)


def guard(
    consumer: Consumer, line: Line, letters: Sequence[Letter], chunk: Chunk
) -> tuple[int, bool]:
    """How many are dead in a row after these letters, and whether that takes a permit.

    Raises BreakerTripped where there is none.
    """
    dead = {letter.offset for letter in letters}
    offsets = sorted(dead | {record.offset for record in decode_records(chunk.records)})
    verdict = judge([offset in dead for offset in offsets], line.in_a_row)
    if verdict.trips:
        # What is stored already comes again in another cut: it drains nothing.
        dead -= dead_letters.stored_offsets(letters)
        verdict = judge([offset in dead for offset in offsets], line.in_a_row)
    if verdict.trips and not breakers.is_allowed(consumer):
        raise BreakerTripped(consumer, verdict, [letter.summary() for letter in letters])
    return verdict.ending, verdict.trips


def _apply(consumer: ChunkConsumer, records: str) -> Applied:
    reach(Failpoint.WORKER_APPLYING, records)
    return consumer.apply(records)


def apply_records(consumer: ChunkConsumer, records: list[Record]) -> Applied:
    """Claim and apply the records in the caller's transaction, outside of any chunk.

    Those that can never be applied are returned as refused. Raises on outage and deploy fault.
    """
    return bisected(consumer, records)


def bisected(consumer: ChunkConsumer, records: list[Record], *, again: bool = False) -> Applied:
    """Halve until what fails is one event; at most 2 log2(n) savepoints for each such event."""
    if not records:
        return Applied(applied=0, changes=[])
    try:
        with transaction.atomic():
            return _apply(consumer, encode_records(records))
    except Exception as error:
        if classify(error) is not Failure.POISON:
            raise
        if len(records) == 1:
            if is_race(error) and not again:
                return bisected(consumer, records, again=True)
            return Applied(applied=0, changes=[], refused=((records[0], error),))
    middle = len(records) // 2
    left, right = bisected(consumer, records[:middle]), bisected(consumer, records[middle:])
    return Applied(
        applied=left.applied + right.applied,
        changes=left.changes + right.changes,
        refused=left.refused + right.refused,
    )


def letters_of(consumer: Consumer, chunk: Chunk, result: Applied) -> list[Letter]:
    letters = [
        dead_letters.of_event(consumer, chunk, record, error, cause=cause_of(error))
        for record, error in result.refused
    ]
    # A refused message concerns no consumer in particular; it rides with the log's chunk so that
    # it is stored in the transaction that lets the watermark pass it.
    letters += [
        dead_letters.of_message(chunk, refused)
        for refused in chunk.refused
        if (refused.consumer or Consumer.LOGGING) is consumer
    ]
    return letters
