"""A job's rate holds however unevenly its passes come."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.replay_rate import allowance
from tests.builders import NOW

gaps = st.lists(st.floats(0.0, 5.0), min_size=1, max_size=60)


@given(per_second=st.integers(1, 500), gaps=gaps)
def test_no_span_of_time_sees_more_than_its_share_and_one_second(
    per_second: int, gaps: list[float]
) -> None:
    now = paced_at = NOW
    released: list[tuple[float, int]] = []
    for gap in gaps:
        now += timedelta(seconds=gap)
        letters, paced_at = allowance(per_second, paced_at, now)
        released.append(((now - NOW).total_seconds(), letters))
        assert paced_at <= now + timedelta(microseconds=1)
    for index, (since, _) in enumerate(released):
        for upto in range(index, len(released)):
            span = released[upto][0] - since
            total = sum(letters for _, letters in released[index : upto + 1])
            assert total <= per_second * (span + 1) + 1


@given(per_second=st.integers(1, 500), passes=st.integers(10, 200))
def test_passes_that_come_often_lose_nothing(per_second: int, passes: int) -> None:
    now = paced_at = NOW
    total = 0
    for _ in range(passes):
        now += timedelta(seconds=0.25)
        letters, paced_at = allowance(per_second, paced_at, now)
        total += letters
    assert abs(total - per_second * passes / 4) <= 1 + per_second / 1000


def test_a_clock_that_goes_back_releases_nothing() -> None:
    assert allowance(100, NOW + timedelta(seconds=30), NOW)[0] == 0
