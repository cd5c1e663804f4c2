"""Seasons meet without gap or overlap in every zone, and begin when their cron expression says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.leaderboards.periods import Period, end_of, start_of
from apps.leaderboards.seasons import SeasonInvalid, cron_of, season_of

ZONES = (
    *("UTC", "Europe/Vienna", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"),
    *("Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo", "America/Havana"),
)
zones = st.sampled_from(ZONES)
moments = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)
) | st.integers(-4_000, 4_000).map(
    lambda minutes: datetime(2026, 10, 25, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
crons = st.builds(
    lambda minute, hour, days: cron_of(f"{minute} {hour} {days}"),
    st.integers(0, 59),
    st.sampled_from(["*", "0", "1", "2", "3", "*/6", "1-3"]),
    st.sampled_from(["* * *", "1 * *", "* * 1", "L * *", "29 2 *", "* * SUN#1", "1 */3 *"]),
)


@given(crons, moments, zones)
def test_a_moment_lies_in_one_season_and_seasons_meet(
    cron: str, moment: datetime, zone: str
) -> None:
    start, end = season_of(cron, moment, zone)
    assert end is not None
    assert start <= moment < end
    assert season_of(cron, start, zone) == (start, end)
    assert season_of(cron, end - timedelta(microseconds=1), zone) == (start, end)
    assert season_of(cron, end, zone)[0] == end
    assert season_of(cron, start - timedelta(microseconds=1), zone)[1] == start


@pytest.mark.parametrize(
    ("cron", "period"),
    [("0 0 * * *", Period.DAILY), ("0 0 * * 1", Period.WEEKLY), ("0 0 1 * *", Period.MONTHLY)],
)
@given(moment=moments, zone=zones)
def test_seasons_at_midnight_are_days_weeks_and_months(
    cron: str, period: Period, moment: datetime, zone: str
) -> None:
    assert season_of(cron, moment, zone) == (
        start_of(period, moment, zone),
        end_of(period, moment, zone),
    )


def test_a_season_begins_at_the_wall_clock_of_its_zone_in_summer_and_in_winter() -> None:
    winter = season_of("0 4 1 * *", datetime(2026, 2, 14, tzinfo=UTC), "Europe/Vienna")
    assert winter[0] == datetime(2026, 2, 1, 3, tzinfo=UTC)
    summer = season_of("0 4 1 * *", datetime(2026, 7, 14, tzinfo=UTC), "Europe/Vienna")
    assert summer[0] == datetime(2026, 7, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "0 4 1 *", "0 0 4 1 * *", "* * * * *", "*/5 4 * * *", "0 25 * * *", "0 0 30 2 *", "x y"],
)
def test_what_begins_no_season_is_refused(text: str) -> None:
    with pytest.raises(SeasonInvalid):
        cron_of(text)


@given(st.text(alphabet="0123456789*/-,#LWJANMON ", max_size=24))
def test_whatever_is_typed_is_taken_or_refused(text: str) -> None:
    try:
        cron = cron_of("0 " + text)
    except SeasonInvalid:
        return
    start, end = season_of(cron, datetime(2026, 6, 1, tzinfo=UTC), "Europe/Vienna")
    assert end is not None and start < end


def test_the_last_season_of_all_years_has_no_end() -> None:
    last = datetime(9999, 6, 1, tzinfo=UTC)
    assert season_of("0 0 1 1 *", last, "UTC") == (datetime(9999, 1, 1, tzinfo=UTC), None)
