"""A client is taken for cut off only where Kafka has answered another one for long."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from apps.kafka.lookout import LOOK_SECONDS, LOST_SECONDS, Lookout

STEP = 0.5  # seconds between two turns of the loop that asks
LONG = 4 * (LOOK_SECONDS + LOST_SECONDS)


def lost_after(lookout: Lookout, seconds: float, now: list[float]) -> float | None:
    """How long it took to say so, within these seconds of turns."""
    began = now[0]
    while now[0] < began + seconds:
        if lookout.is_lost(now[0]):
            return now[0] - began
        now[0] += STEP
    return None


def watching(answers: Callable[[float], bool]) -> tuple[Lookout, list[float], list[float]]:
    """A lookout, its clock, and when Kafka was asked."""
    now, asked = [0.0], list[float]()

    def ask() -> bool:
        asked.append(now[0])
        return answers(now[0])

    return Lookout(answers=ask), now, asked


def test_one_that_works_is_never_lost_and_asks_nobody() -> None:
    lookout, now, asked = watching(lambda at: True)
    assert lost_after(lookout, LONG, now) is None
    lookout.fails(now[0])
    lookout.works()
    assert lost_after(lookout, LONG, now) is None
    assert not asked


def test_one_that_fails_while_kafka_answers_nobody_is_not_lost() -> None:
    lookout, now, asked = watching(lambda at: False)
    lookout.fails(now[0])
    assert lost_after(lookout, LONG, now) is None
    assert {later - before for before, later in pairwise(asked)} == {LOOK_SECONDS}


def test_one_that_fails_while_kafka_answers_is_lost_after_a_while() -> None:
    lookout, now, _ = watching(lambda at: True)
    lookout.fails(now[0])
    assert lost_after(lookout, LONG, now) == LOOK_SECONDS + LOST_SECONDS


def test_what_fails_again_is_not_given_more_time() -> None:
    lookout, now, _ = watching(lambda at: True)
    lookout.fails(now[0])
    assert lost_after(lookout, LOOK_SECONDS, now) is None
    lookout.fails(now[0])
    assert lost_after(lookout, LONG, now) == LOST_SECONDS


@given(back_at=st.floats(0, LONG, allow_nan=False))
def test_the_time_counts_from_when_kafka_is_back(back_at: float) -> None:
    lookout, now, _ = watching(lambda at: at >= back_at)
    lookout.fails(now[0])
    took = lost_after(lookout, 2 * LONG, now)
    assert took is not None
    assert (
        back_at + LOST_SECONDS <= took <= max(back_at, LOOK_SECONDS) + LOOK_SECONDS + LOST_SECONDS
    )


def test_an_answer_and_none_after_it_count_for_nothing() -> None:
    lookout, now, _ = watching(lambda at: at // LOOK_SECONDS % 2 == 0)
    lookout.fails(now[0])
    assert lost_after(lookout, LONG, now) is None
