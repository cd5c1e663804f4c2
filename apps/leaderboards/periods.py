"""Periods of event time: `[start, end)` in the board's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from apps.leaderboards.seasons import season_of

# The start of the period that has none; no event is older (envelope.EARLIEST).
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Period(StrEnum):
    """How long a board counts before it starts anew; nothing is deleted by that."""

    ALLTIME = "alltime"
    DAILY = "daily"
    WEEKLY = "weekly"  # ISO weeks: Monday to Monday
    MONTHLY = "monthly"
    SEASON = "season"  # by the board's own cron expression


# What a board may keep without saying more.
CALENDAR: Final = (Period.ALLTIME, Period.DAILY, Period.WEEKLY, Period.MONTHLY)


def start_of(period: Period, moment: datetime, zone: str, season: str = "") -> datetime:
    """When the period that holds `moment` began, in UTC; EPOCH for all-time.

    `season` is a cron expression, needed for that period.
    """
    if period is Period.ALLTIME:
        return EPOCH
    if period is Period.SEASON:
        return season_of(season, moment, zone)[0]
    return _bounds(period, day_of(moment, zone), zone)[0]


def day_of(moment: datetime, zone: str) -> date:
    """The day that holds `moment`; it lies in one period of each kind but seasons."""
    if zone == "UTC" and moment.tzinfo is UTC:
        return moment.date()  # a sixtieth of the time of what follows
    return moment.astimezone(_zone(zone)).date()


def end_of(period: Period, moment: datetime, zone: str, season: str = "") -> datetime | None:
    """When the period that holds `moment` ends (exclusive), in UTC; None for all-time."""
    if period is Period.ALLTIME:
        return None
    if period is Period.SEASON:
        return season_of(season, moment, zone)[1]
    return _bounds(period, day_of(moment, zone), zone)[1]


@lru_cache(maxsize=4096)
def _bounds(period: Period, day: date, zone: str) -> tuple[datetime, datetime]:
    if period is Period.DAILY:
        first, last = day, day + timedelta(days=1)
    elif period is Period.WEEKLY:
        first = day - timedelta(days=day.weekday())
        last = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        last = (first + timedelta(days=32)).replace(day=1)
    return _midnight(first, zone), _midnight(last, zone)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=_zone(zone)).astimezone(UTC)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
