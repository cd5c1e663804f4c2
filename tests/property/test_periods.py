"""Every moment lies in exactly one period, and periods begin at midnight where the board is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.leaderboards.periods import EPOCH, Period, end_of, start_of

ZONES = (
    *("UTC", "Europe/Vienna", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"),
    *("Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut"),
)
BOUNDED = (Period.DAILY, Period.WEEKLY, Period.MONTHLY)
zones = st.sampled_from(ZONES)
periods = st.sampled_from(BOUNDED)
moments = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)
)


def bounds(period: Period, moment: datetime, zone: str) -> tuple[datetime, datetime]:
    end = end_of(period, moment, zone)
    assert end is not None
    return start_of(period, moment, zone), end


@given(periods, moments, zones)
def test_a_moment_lies_in_its_period(period: Period, moment: datetime, zone: str) -> None:
    start, end = bounds(period, moment, zone)
    assert start <= moment < end


@given(periods, moments, zones)
def test_periods_meet_without_gap_or_overlap(period: Period, moment: datetime, zone: str) -> None:
    start, end = bounds(period, moment, zone)
    last = end - timedelta(microseconds=1)
    assert bounds(period, start, zone) == (start, end)
    assert bounds(period, last, zone) == (start, end)
    assert start_of(period, end, zone) == end


@given(periods, moments, zones)
def test_a_period_begins_when_its_first_day_does(
    period: Period, moment: datetime, zone: str
) -> None:
    start, _ = bounds(period, moment, zone)
    local = start.astimezone(ZoneInfo(zone))
    day_before = (start - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
    assert local.date() > day_before
    # A clock that goes forward at midnight has no 00:00 on that day.
    exists = local.replace(tzinfo=None) == datetime.combine(local.date(), time())
    assert exists or local.date() - day_before >= timedelta(days=1)
    assert period is not Period.WEEKLY or local.isoweekday() == 1
    assert period is not Period.MONTHLY or local.day == 1


@given(moments, zones)
def test_all_time_has_one_start_and_no_end(moment: datetime, zone: str) -> None:
    assert start_of(Period.ALLTIME, moment, zone) == EPOCH
    assert end_of(Period.ALLTIME, moment, zone) is None


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 20), 24)],
    ids=["clock forward", "clock back", "plain"],
)
def test_a_day_in_vienna_has_the_hours_it_has(day: date, hours: int) -> None:
    noon = datetime.combine(day, time(12), tzinfo=ZoneInfo("Europe/Vienna"))
    start, end = bounds(Period.DAILY, noon, "Europe/Vienna")
    assert end - start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("moment", "monday"),
    [
        (datetime(2027, 1, 3, 23, 59, 59, 999_999, tzinfo=UTC), date(2026, 12, 28)),
        (datetime(2027, 1, 4, tzinfo=UTC), date(2027, 1, 4)),
        (datetime(2026, 1, 1, tzinfo=UTC), date(2025, 12, 29)),
    ],
)
def test_iso_weeks_go_from_monday_to_monday_over_new_year(moment: datetime, monday: date) -> None:
    assert start_of(Period.WEEKLY, moment, "UTC") == datetime.combine(monday, time(), tzinfo=UTC)


def test_a_late_evening_in_utc_is_the_next_day_in_kiritimati() -> None:
    moment = datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert start_of(Period.DAILY, moment, "Pacific/Kiritimati") == datetime(
        2026, 11, 20, 10, tzinfo=UTC
    )
