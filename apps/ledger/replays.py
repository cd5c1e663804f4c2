"""Replay dead letters: each event in its own transaction, through the ledger of its consumer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

from django.db import Error as DatabaseUnreachable
from django.db import connection, transaction

from apps.contract.causes import CRASH
from apps.contract.chunk import Record, encode_records
from apps.contract.envelope import EventInvalid
from apps.deadletters import replay_state
from apps.deadletters.models import DeadLetter
from apps.deadletters.replayable import event_of
from apps.failpoints.points import Failpoint, reach
from apps.ledger.failures import Failure, cause_of, classify
from apps.ledger.services import ChunkConsumer
from apps.monitoring import metrics

logger = logging.getLogger(__name__)

# Workers that may die of one letter, not counting the first.
DEATHS: Final = 3


class Replayed(StrEnum):
    """What became of a letter."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # the event was applied before; the letter is closed all the same
    FAILED = "failed"  # open again, with the new cause
    NOTHING = "nothing"  # it was done before, or another worker has it


class LettersLeft(Exception):
    """Some letters could not be replayed now; they stay in `replaying` and are sent again."""


def replay(
    consumer: ChunkConsumer,
    letters: Sequence[int],
    *,
    stopping: Callable[[], bool],
    beat: Callable[[], None],
) -> None:
    """Replay the letters one by one, until the process is asked to end.

    Raises LettersLeft on an outage and on a deploy fault. Nothing is waited out here: who sent
    the letters sends again those that are left.
    """
    for letter in letters:
        beat()
        if stopping():
            return
        try:
            outcome = replay_letter(consumer, letter)
        except Exception as error:
            failure = classify(error)
            _report(consumer, letter, failure, error)
            # A broken connection stays broken, and after a failover points to the old primary.
            connection.close()
            raise LettersLeft(f"{consumer.name}: {failure}: {error}") from error
        if outcome is not Replayed.NOTHING:
            metrics.dead_letters_replayed.labels(
                consumer=consumer.name.value, outcome=outcome.value
            ).inc()


def replay_letter(consumer: ChunkConsumer, letter: int) -> Replayed:
    """Apply the letter's event once, or open the letter again, and then write Redis.

    Raises on outage and on a deploy fault; nothing is committed then, or (Redis) the same call
    repeats the Redis write.
    """
    deaths = replay_state.begin(letter)
    try:
        outcome, changes = _transact(consumer, letter, deaths or 0)
    except Exception:
        if deaths is not None:
            with suppress(DatabaseUnreachable):
                replay_state.end(letter)
        raise
    reach(Failpoint.REPLAY_COMMITTED, consumer.name.value)
    if changes is not None:
        consumer.refresh(changes)
        replay_state.cached(letter)
    return outcome


def _transact(
    consumer: ChunkConsumer, number: int, deaths: int
) -> tuple[Replayed, list[Any] | None]:
    """The outcome, and what Redis must be told; None: nothing."""
    with transaction.atomic():
        letter = replay_state.lock(consumer.name, number)
        if letter is None:
            return Replayed.NOTHING, None
        if deaths >= DEATHS and letter.committed_at is None:
            message = f"{deaths} workers died while they applied the event"
            replay_state.failed(letter, cause=CRASH, error=message, exception="")
            return Replayed.FAILED, None
        try:
            event = event_of(letter)
        except EventInvalid as error:
            return _failed(letter, error, cause=error.code)
        records = encode_records([Record.of(event, letter.offset)])
        if letter.committed_at is not None:
            return Replayed.NOTHING, consumer.changes_of(records)
        try:
            with transaction.atomic():
                applied = consumer.apply(records)
        except Exception as error:
            if classify(error) is not Failure.POISON:
                raise
            return _failed(letter, error, cause=cause_of(error))
        for _, refusal in applied.refused:
            return _failed(letter, refusal, cause=cause_of(refusal))
        duplicate = not applied.applied
        replay_state.applied(letter, event, duplicate=duplicate, cached=not applied.changes)
        reach(Failpoint.REPLAY_APPLIED, records)
    return Replayed.DUPLICATE if duplicate else Replayed.APPLIED, applied.changes or None


def _failed(letter: DeadLetter, error: Exception, *, cause: str) -> tuple[Replayed, None]:
    replay_state.failed(letter, cause=cause, error=str(error), exception=type(error).__name__)
    return Replayed.FAILED, None


def _report(consumer: ChunkConsumer, letter: int, failure: Failure, error: Exception) -> None:
    name = consumer.name.value
    metrics.errors.labels(consumer=name, cause=failure.value).inc()
    fields = {"consumer": name, "letter": letter, "error": str(error)}
    if failure is Failure.OUTAGE:
        logger.warning("dead letter waits for a server", extra=fields)
    else:
        logger.critical("dead letter met a deploy fault", extra=fields, exc_info=error)
