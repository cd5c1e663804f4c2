"""Which dead letters are replayed without anybody asking, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.deadletters.auto_retry import DESERVING, MOST_REPLAYS, delay, place

PLACE = place("topic", 0, 7)


@pytest.mark.parametrize("cause", ["score_invalid", "22P02", "fan_out", "retention_gap", ""])
def test_a_cause_that_would_come_again_waits_for_somebody(cause: str) -> None:
    assert delay(cause, replays=0, place=PLACE) is None


@pytest.mark.parametrize("cause", sorted(DESERVING))
def test_the_delay_doubles_from_a_minute(cause: str) -> None:
    for replays in range(MOST_REPLAYS):
        found = delay(cause, replays=replays, place=PLACE)
        step = timedelta(minutes=2**replays)
        assert found is not None
        assert step <= found <= step * 1.25


def test_after_five_replays_a_letter_stays_open() -> None:
    assert delay("crash", replays=MOST_REPLAYS, place=PLACE) is None


def test_a_letter_has_the_same_schedule_wherever_it_is_computed() -> None:
    assert delay("crash", replays=2, place=PLACE) == delay("crash", replays=2, place=PLACE)


def test_letters_that_failed_together_part_ways() -> None:
    delays = {delay("crash", replays=0, place=place("topic", 0, offset)) for offset in range(100)}
    assert len(delays) > 90
