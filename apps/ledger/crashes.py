"""A chunk that kills its workers is applied event by event, until the one that kills is known."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from django.db import transaction

from apps.contract.chunk import Chunk, Record, decode_records, encode_records
from apps.deadletters import services as dead_letters
from apps.ledger import attempts, chunks
from apps.ledger.attempts import Trial
from apps.ledger.breaker import Line
from apps.ledger.failures import EventRefused
from apps.ledger.services import (
    Applied,
    ChunkConsumer,
    Outcome,
    bisected,
    guard,
    letters_of,
    settle_letters,
    write_cache,
)

# Attempts of which the process died, after a first delivery that nobody counted: the chunk has
# killed its worker three times.
ATTEMPTS_OF_CHUNK: Final = 3
DEATHS_OF_EVENT: Final = 2


class WorkerCrashed(EventRefused):
    """Two workers died while they applied this event alone."""

    def __init__(self) -> None:
        super().__init__("crash", str(WorkerCrashed.__doc__))


class TrialGone(Exception):
    """Somebody deleted the chunk's attempts while it was applied event by event."""


class StoppedHalfway(Exception):
    """The process was asked to end between two events; another goes on from there."""


def apply_by_event(
    consumer: ChunkConsumer,
    chunk: Chunk,
    line: Line,
    *,
    stopping: Callable[[], bool],
    beat: Callable[[], None],
) -> Outcome:
    """Apply each event in a transaction of its own, and claim the chunk at the end.

    Which event is tried is committed before it is tried; a worker that dies leaves it behind, and
    the next one goes on from there. Several workers at once share the events: each transaction
    holds the trial. Raises what `apply_chunk` raises, and StoppedHalfway.
    """
    records = sorted(decode_records(chunk.records), key=_offset)
    _resume(consumer, chunk, records)
    while _pass_one(consumer, chunk, line, records):
        beat()
        if stopping():
            raise StoppedHalfway(StoppedHalfway.__doc__)
    outcome, changes = _finish(consumer, chunk)
    write_cache(consumer, [chunk], changes)
    return outcome


def _resume(consumer: ChunkConsumer, chunk: Chunk, records: list[Record]) -> None:
    with transaction.atomic():
        trial = attempts.lock(consumer.name, chunk, wait=False)
        if trial is None:
            return
        offset = trial.offset
        if offset is None:
            offset = records[0].offset if records else chunk.next_offset
        died = trial.trying and trial.offset is not None
        attempts.note_try(consumer.name, chunk, offset=offset, deaths=trial.deaths + died)


def _pass_one(consumer: ChunkConsumer, chunk: Chunk, line: Line, records: Sequence[Record]) -> bool:
    """Apply or dead-letter the event whose turn it is; False where none is left."""
    with transaction.atomic():
        trial = attempts.lock(consumer.name, chunk, wait=True)
        if trial is None or trial.offset is None:
            return False
        turn = bisect_left(records, trial.offset, key=_offset)
        if turn == len(records):
            return False
        following = records[turn + 1].offset if turn + 1 < len(records) else chunk.next_offset
        alone = _alone(chunk, records[turn])
        result = _tried(consumer, records[turn], trial)
        letters = letters_of(consumer.name, alone, result)
        in_a_row = guard(consumer.name, line, letters, alone)[0] if letters else 0
        settle_letters(consumer.name, alone, result, letters)
        attempts.note_pass(
            consumer.name,
            chunk,
            following=following,
            applied=result.applied,
            duplicates=1 - result.applied - len(result.refused),
            dead=len(result.refused),
        )
    line.in_a_row = in_a_row
    return True


def _offset(record: Record) -> int:
    return record.offset


def _alone(chunk: Chunk, record: Record) -> Chunk:
    return msgspec.structs.replace(
        chunk, events=1, records=encode_records([record]), accepted_at=[], refused=[]
    )


def _tried(consumer: ChunkConsumer, record: Record, trial: Trial) -> Applied:
    if trial.deaths < DEATHS_OF_EVENT:
        return bisected(consumer, [record])
    return Applied(applied=0, changes=[], refused=((record, WorkerCrashed()),))


def _finish(consumer: ChunkConsumer, chunk: Chunk) -> tuple[Outcome, list[Any]]:
    """Claim the chunk, whose events are all passed, with what it has besides events."""
    with transaction.atomic():
        trial = attempts.lock(consumer.name, chunk, wait=True)
        claimed = chunks.claim(consumer.name, [chunk])
        changes = consumer.changes_of(chunk.records)
        if not claimed:
            return Outcome(redelivered=True), changes
        if trial is None:
            raise TrialGone(TrialGone.__doc__)
        letters = letters_of(consumer.name, chunk, Applied(applied=0, changes=[]))
        dead_letters.store(letters)
        chunks.count(
            consumer.name,
            chunk,
            applied=trial.applied,
            duplicates=trial.duplicates,
            dead=trial.dead,
            cached=not changes,
        )
        attempts.forget(consumer.name, chunk)
    outcome = Outcome(
        applied=trial.applied, duplicates=trial.duplicates, dead=trial.dead + len(letters)
    )
    return outcome, changes
