"""What a board counts, and how scores come together. No clock, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from apps.contract.pointers import resolve
from apps.leaderboards import periods
from apps.leaderboards.bounds import Bounds
from apps.leaderboards.filters import Where
from apps.leaderboards.periods import CALENDAR, Period
from apps.ledger.failures import EventRefused

# A score has at most this many digits before and after the point: wide enough for any game,
# narrow enough that sums, indexes and JSON stay exact and short.
MAX_INTEGER_DIGITS: Final = 30
MAX_FRACTION_DIGITS: Final = 30
# Python's default context rounds sums to 28 digits. This one holds 10^40 scores of the greatest
# size without rounding.
EXACT: Final = Context(prec=MAX_INTEGER_DIGITS + MAX_FRACTION_DIGITS + 40)


class Operator(StrEnum):
    """How a player's scores on a board become one."""

    BEST = "best"  # the first in the board's order
    SUM = "sum"
    LATEST = "latest"  # by event time, whatever came in last
    MIN = "min"  # the least, whatever the board's order
    MAX = "max"
    COUNT = "count"  # how many events, whatever their scores


class Order(StrEnum):
    """Which end of the board is first."""

    DESC = "desc"
    ASC = "asc"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoring:
    """Where an event type bears its score: a JSON Pointer into `data`, and what counts without.

    The empty pointer is `data` itself, which a board that counts events is content with.
    """

    pointer: str
    absent: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A board, as data.

    `season` is the cron expression of its seasons, empty without; `where` what their data must say
    of events for them to count; `bounds` what is held in quarantine. `generation` is no rule: it
    tells one making of the board's entries from another, and their orders in Redis.
    """

    game_id: str
    name: str
    scoring: Mapping[str, Scoring]
    operator: Operator
    order: Order
    periods: tuple[Period, ...]
    timezone: str = "UTC"
    where: Where | None = None
    season: str = ""
    bounds: Bounds | None = None
    generation: int = field(default=0, compare=False)

    def start_of(self, period: Period, moment: datetime) -> datetime:
        """When the board's period that holds `moment` began, in UTC; EPOCH for all-time."""
        return periods.start_of(period, moment, self.timezone, self.season)

    def end_of(self, period: Period, moment: datetime) -> datetime | None:
        """When it ends (exclusive), in UTC; None for all-time."""
        return periods.end_of(period, moment, self.timezone, self.season)


class Standing(NamedTuple):
    """What one player has on one board in one period.

    `moved` tells whether any score but zero has come in: adding zero must not make a player
    lose a tie that they reached first. `event_id`: which of two events of one moment is the latest;
    empty under every other operator.
    """

    score: Decimal
    achieved_at: datetime
    moved: bool
    event_id: str = ""


_INTEGERS_END: Final = 10**MAX_INTEGER_DIGITS
ONE: Final = Decimal(1)
DEFAULT_BOARD: Final = "default"
_ADDING: Final = (Operator.SUM, Operator.COUNT)
_DEFAULT_SCORING: Final[Mapping[str, Scoring]] = {
    "player_score": Scoring(pointer="/score"),
    "quest_completed": Scoring(pointer="/reward_points", absent=Decimal(10)),
    "achievement_unlocked": Scoring(pointer="/points", absent=Decimal(5)),
    "boss_defeated": Scoring(pointer="/difficulty_score", absent=Decimal(50)),
}


def default_definition(game_id: str) -> Definition:
    """The board that every game has without configuration."""
    return Definition(
        game_id=game_id,
        name=DEFAULT_BOARD,
        scoring=_DEFAULT_SCORING,
        operator=Operator.SUM,
        order=Order.DESC,
        periods=CALENDAR,
    )


def score_at(rank_key: Decimal, order: Order) -> Decimal:
    """The score that ranks by this key; every digit, and no negative zero."""
    # Not `-rank_key`, which would round; `plus` has no negative zero.
    return EXACT.plus(rank_key.copy_negate() if order is Order.DESC else rank_key)


def plain(score: Decimal) -> str:
    """Every digit, no exponent."""
    return format(score.normalize(EXACT), "f")


def score_of(scoring: Scoring, data: Any) -> Decimal | None:
    """The event's score; None where it has none (absent or null), which ranks nobody.

    `data` is parsed with decimals for non-integers. Raises EventRefused for anything that is
    there and is not a number, or has too many digits.
    """
    found = resolve(scoring.pointer, data)
    if found is None:
        return scoring.absent
    if type(found) is int and -_INTEGERS_END < found < _INTEGERS_END:
        return Decimal(found)  # nearly every score; the digits need no look
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        kind = type(found).__name__
        raise EventRefused("score_invalid", f"data{scoring.pointer} must be a number, is {kind}")
    score = Decimal(found)
    exponent = score.as_tuple().exponent
    too_fine = isinstance(exponent, int) and exponent < -MAX_FRACTION_DIGITS
    if too_fine or score.adjusted() >= MAX_INTEGER_DIGITS:
        raise EventRefused(
            "score_range",
            f"data{scoring.pointer} must have at most {MAX_INTEGER_DIGITS} digits before and "
            f"{MAX_FRACTION_DIGITS} after the point",
        )
    return score


def counted(scoring: Scoring, data: Any) -> Decimal | None:
    """One for an event that has anything (but null) where its score would be; None otherwise."""
    return ONE if resolve(scoring.pointer, data) is not None else None


def standing(score: Decimal, at: datetime, event_id: str = "") -> Standing:
    """The standing after a single event; LATEST needs its id."""
    return Standing(score, at, score != 0, event_id)


def merge(operator: Operator, order: Order, one: Standing, other: Standing) -> Standing:
    """Two standings of the same player as one; commutative and associative.

    The SQL of `Entry.objects.merge` says the same of a stored and a new one.
    """
    if operator in _ADDING:
        return _summed(one, other)
    if operator is Operator.LATEST:
        return max(one, other, key=_moment)
    if one.score == other.score:
        return one._replace(achieved_at=min(one.achieved_at, other.achieved_at))
    return one if (one.score > other.score) == _prefers_greater(operator, order) else other


def _moment(value: Standing) -> tuple[datetime, str]:
    # Ids are of one form, in which text sorts as PostgreSQL sorts uuids.
    return value.achieved_at, value.event_id


def _prefers_greater(operator: Operator, order: Order) -> bool:
    if operator is Operator.BEST:
        return order is Order.DESC
    return operator is Operator.MAX


def _summed(one: Standing, other: Standing) -> Standing:
    score, at, moved, _ = one
    more, then, moves, _ = other
    if moved and moves:
        at = max(at, then)
    elif moves:
        at = then
    elif not moved:
        at = min(at, then)
    return Standing(EXACT.add(score, more), at, moved or moves)
