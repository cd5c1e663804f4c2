"""Every event of an open loop is sent when it is due, and none before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.timetable import Timetable

START = 1_700_000_000.0


@given(
    events=st.integers(1, 500),
    rate=st.sampled_from([0.0, 7.0, 100.0, 3_000.0, 20_000.0]),
    batch=st.sampled_from([1, 10, 100]),
    number=st.integers(0, 499),
)
def test_what_is_due_by_a_moment_is_due_then_and_the_next_is_not(
    events: int, rate: float, batch: int, number: int
) -> None:
    timetable = Timetable(events=events, rate=rate, batch=batch, starts_at=START)
    now = timetable.due(number % events)

    due = timetable.due_by(now)

    assert due > number % events
    assert timetable.due(due - 1) <= now
    assert due == events or timetable.due(due) > now


def test_a_batch_is_due_together_and_the_rate_is_that_of_its_events() -> None:
    timetable = Timetable(events=1_000, rate=1_000.0, batch=10, starts_at=START)

    assert timetable.due(0) == timetable.due(9) == START
    assert timetable.due(10) == timetable.due(19) == START + 0.01
    assert timetable.due(990) == pytest.approx(START + 0.99)


def test_nothing_is_due_before_the_start_and_all_at_it_where_there_is_no_rate() -> None:
    paced = Timetable(events=30, rate=100.0, starts_at=START)
    at_once = Timetable(events=30, rate=0.0, starts_at=START)

    assert paced.due_by(START - 0.001) == at_once.due_by(START - 0.001) == 0
    assert at_once.due_by(START) == 30
