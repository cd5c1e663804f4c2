"""Several operators, workers and chunks at one dead letter at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TypeVar

import pytest
import redis
from django.db import connection

from apps.contract.queues import Consumer
from apps.deadletters import actions
from apps.deadletters.models import DeadLetter, DeadLetterAction
from apps.ledger.replays import Replayed, replay_letter
from apps.ledger.services import apply_chunk
from tests.builders import chunk, event_id, event_text, record
from tests.totals import CONSUMERS, score_of

pytestmark = pytest.mark.django_db(transaction=True)
LEADERBOARDS = CONSUMERS[Consumer.LEADERBOARDS]
MENDED = event_text(event_id=event_id(7), data={"score": 25})
T = TypeVar("T")


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run the jobs in threads that begin together."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], T]) -> T:
        gate.wait(30)
        try:
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@pytest.fixture
def letter(cache: redis.Redis) -> int:
    apply_chunk(LEADERBOARDS, chunk([record(7, data='{"score": "many"}')]))
    number: int = DeadLetter.objects.get().pk
    actions.edit(number, MENDED, by="bo")
    return number


def test_a_letter_that_four_operators_replay_is_released_once(letter: int) -> None:
    released = at_once([lambda: actions.replay([letter], by="bo")] * 4)
    assert sorted(released) == [0, 0, 0, 1]
    assert DeadLetter.objects.get().replays == 1
    assert DeadLetterAction.objects.filter(action="replay").count() == 1


def test_a_letter_is_either_replayed_or_discarded(letter: int) -> None:
    replayed, discarded = at_once(
        [
            lambda: actions.replay([letter], by="bo"),
            lambda: actions.discard([letter], by="cyd", reason="old"),
        ]
    )
    assert replayed + discarded == 1
    assert DeadLetter.objects.get().state == ("replaying" if replayed else "discarded")


def test_a_letter_that_four_workers_take_is_applied_once(letter: int) -> None:
    actions.replay_one(letter, by="bo")
    outcomes = Counter(at_once([lambda: replay_letter(LEADERBOARDS, letter)] * 4))
    assert outcomes == {Replayed.APPLIED: 1, Replayed.NOTHING: 3}
    standing = score_of("ada")
    assert standing is not None
    assert standing[0] == Decimal(25)


def test_a_replay_beside_a_redelivery_of_the_event_applies_it_once(letter: int) -> None:
    actions.replay_one(letter, by="bo")
    again = chunk([record(90, number=7, data='{"score": 25}')])

    def redelivered() -> bool:
        return apply_chunk(LEADERBOARDS, again).applied == 1

    def replayed() -> bool:
        return replay_letter(LEADERBOARDS, letter) is Replayed.APPLIED

    assert sorted(at_once([redelivered, replayed])) == [False, True]
    assert DeadLetter.objects.get().state == "applied"
    standing = score_of("ada")
    assert standing is not None
    assert standing[0] == Decimal(25)
