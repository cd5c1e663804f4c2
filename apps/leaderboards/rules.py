"""What a board counts, and how scores come together. No clock, no database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from apps.leaderboards.periods import Period
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

    BEST = "best"
    SUM = "sum"


class Order(StrEnum):
    """Which end of the board is first."""

    DESC = "desc"
    ASC = "asc"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scoring:
    """Where an event type bears its score: a JSON Pointer into `data`, and what counts without."""

    pointer: str
    absent: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A board, as data."""

    game_id: str
    name: str
    scoring: Mapping[str, Scoring]
    operator: Operator
    order: Order
    periods: tuple[Period, ...]
    timezone: str = "UTC"


class Standing(NamedTuple):
    """What one player has on one board in one period.

    `moved` tells whether any score but zero has come in: adding zero must not make a player
    lose a tie that they reached first.
    """

    score: Decimal
    achieved_at: datetime
    moved: bool


_INTEGERS_END: Final = 10**MAX_INTEGER_DIGITS
DEFAULT_BOARD: Final = "default"
_INDEX: Final = re.compile("0|[1-9][0-9]*")  # RFC 6901, section 4
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
        periods=tuple(Period),
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


def resolve(pointer: str, document: Any) -> Any:
    """What a JSON Pointer (RFC 6901) points to; None where there is nothing."""
    value = document
    for name in _steps(pointer):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _INDEX.fullmatch(name):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


@lru_cache(maxsize=4096)
def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def standing(score: Decimal, at: datetime) -> Standing:
    """The standing after a single event."""
    return Standing(score, at, score != 0)


def merge(operator: Operator, order: Order, one: Standing, other: Standing) -> Standing:
    """Two standings of the same player as one; commutative and associative.

    The SQL of `Entry.objects.merge` says the same of a stored and a new one.
    """
    if operator is Operator.SUM:
        return _summed(one, other)
    if one.score == other.score:
        return one._replace(achieved_at=min(one.achieved_at, other.achieved_at))
    return one if (one.score > other.score) == (order is Order.DESC) else other


def _summed(one: Standing, other: Standing) -> Standing:
    score, at, moved = one
    more, then, moves = other
    if moved and moves:
        at = max(at, then)
    elif moves:
        at = then
    elif not moved:
        at = min(at, then)
    return Standing(EXACT.add(score, more), at, moved or moves)
