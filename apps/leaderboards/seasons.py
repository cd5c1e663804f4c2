"""Seasons: periods that begin whenever a cron expression fires, in the board's zone.

The expression is matched against the wall clock; which moment that is says the zone alone, by the
same rule as midnight in `periods`: a time that a clock leaves out is as long after the hour before
as it would have been, a time that comes twice is meant the first time. So the fires are one fixed
set of moments, whatever moment they are looked for from, and seasons meet without gap or overlap.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MAX_LENGTH: Final = 100
# More than any clock was ever put forward or back (Samoa left out a day).
_SHIFT: Final = timedelta(days=2)
_DAY: Final = timedelta(days=1)
_MINUTE: Final = re.compile("[0-9]{1,2}", re.ASCII)
_FIRST: Final = datetime(1970, 1, 1)  # no event is older


class SeasonInvalid(Exception):
    """Not a cron expression by which seasons can begin."""


def cron_of(text: str) -> str:
    """The expression in one spelling. Raises SeasonInvalid."""
    fields = text.upper().split()
    if len(text) > MAX_LENGTH or len(fields) != 5:
        raise SeasonInvalid("must have 5 fields: minute hour day month weekday, as 0 4 1 * *")
    if not _MINUTE.fullmatch(fields[0]):
        raise SeasonInvalid("the minute must be one number: a season lasts an hour at least")
    cron = " ".join(fields)
    try:
        next(CronSim(cron, _FIRST))
        next(CronSim(cron, _FIRST, reverse=True))
    except CronSimError as error:
        raise SeasonInvalid(f"{error} in {text!r}") from error
    except StopIteration as error:
        raise SeasonInvalid(f"{text!r} never fires") from error
    return cron


def season_of(cron: str, moment: datetime, zone: str) -> tuple[datetime, datetime | None]:
    """Start and end (exclusive) of the season that holds `moment`, in UTC.

    The end is None beyond the years that a date can have.
    """
    fires = _fires(cron, moment.astimezone(_zone(zone)).date(), zone)
    after = bisect_right(fires, moment)
    return fires[after - 1], fires[after] if after < len(fires) else None


@lru_cache(maxsize=4096)
def _fires(cron: str, day: date, zone: str) -> tuple[datetime, ...]:
    """The fires of a local day, sorted, with the last one before and the first one after it."""
    midnight = datetime.combine(day, time())
    # Walls and moments may be in different orders near a clock change, and nowhere else.
    first = next(CronSim(cron, midnight - _SHIFT, reverse=True))
    walls = [first, *_until(CronSim(cron, first), midnight + _DAY + _SHIFT)]
    return tuple(sorted({wall.replace(tzinfo=_zone(zone)).astimezone(UTC) for wall in walls}))


def _until(walls: Iterator[datetime], end: datetime) -> Iterator[datetime]:
    """The fires up to `end`, and one more where there is one."""
    try:
        for wall in walls:
            yield wall
            if wall > end:
                return
    except (OverflowError, ValueError):
        return  # beyond the year 9999


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
