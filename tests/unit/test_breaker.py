"""When a consumer is stopped rather than dead-letter what it gets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ledger.breaker import IN_A_ROW, judge
from apps.ledger.breakers import Permit, PermitInvalid
from tests.builders import NOW

fates = st.lists(st.booleans(), max_size=60)
before = st.integers(0, 40)


def chunk_of(dead: int, alive: int) -> list[bool]:
    return [True] * dead + [False] * alive


@pytest.mark.parametrize(
    ("chunk", "dead_before", "trips"),
    [
        ([], 30, False),
        (chunk_of(0, 500), 20, False),
        (chunk_of(20, 0), 0, False),
        (chunk_of(21, 0), 0, True),
        (chunk_of(21, 188), 0, True),
        (chunk_of(21, 189), 0, False),
        ([True, False] * 250, 0, False),
        ([True], 19, False),
        ([True], 20, True),
        ([False, True], 20, False),
    ],
    ids=[
        *("empty", "all applied", "20 in a row", "21 in a row", "above a tenth", "a tenth"),
        *("every other", "20th of one", "21st of one", "after one that applied"),
    ],
)
def test_it_trips_beyond_a_tenth_of_a_chunk_and_twenty_in_a_row(
    chunk: list[bool], dead_before: int, trips: bool
) -> None:
    assert judge(chunk, dead_before).trips is trips


@given(fates=fates, before=before)
def test_the_longest_run_is_the_longest_text_of_dead_events(fates: list[bool], before: int) -> None:
    text = "x" * before + "".join("x" if dead else "." for dead in fates)
    verdict = judge(fates, before)
    runs = [len(run) for run in text.split(".")]
    assert verdict.ending == runs[-1]
    if any(fates):
        with_fates = [len(run) for run in ("".join("x" if d else "." for d in fates)).split(".")]
        expected = max([*with_fates[1:], with_fates[0] + before if fates[0] else 0])
        assert verdict.longest == expected
    assert (verdict.dead, verdict.events) == (sum(fates), len(fates))


@given(fates=fates, before=before, cut=st.integers(0, 60))
def test_runs_are_the_same_however_the_chunks_are_cut(
    fates: list[bool], before: int, cut: int
) -> None:
    first = judge(fates[:cut], before)
    second = judge(fates[cut:], first.ending)
    whole = judge(fates, before)
    assert second.ending == whole.ending
    assert max(first.longest, second.longest) == whole.longest


@given(fates=fates, before=before)
def test_nothing_trips_without_a_dead_event_of_its_own(fates: list[bool], before: int) -> None:
    verdict = judge(fates, before)
    if verdict.trips:
        assert verdict.dead * 10 > len(fates)
        assert verdict.longest > IN_A_ROW


@given(before=before, length=st.integers(1, 60))
def test_a_chunk_that_is_applied_ends_every_run(before: int, length: int) -> None:
    assert judge([False] * length, before).ending == 0


@pytest.mark.parametrize(
    ("minutes", "by"), [(0, "ada"), (-1, "ada"), (1441, "ada"), (5, ""), (5, "  ")]
)
def test_a_permit_is_bounded_and_bears_a_name(minutes: int, by: str) -> None:
    with pytest.raises(PermitInvalid):
        Permit.of(minutes=minutes, by=by, now=NOW)
    assert Permit.of(minutes=5, by=" ada ", now=NOW) == Permit(
        until=NOW + timedelta(minutes=5), by="ada"
    )
