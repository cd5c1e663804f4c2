"""Members of the rank's sorted set, whose byte order is the exact rank order.

A sorted set orders by a double, then by the member's bytes. Doubles hold 15 digits; what a double
cannot hold is put in front of the member, so the order is that of the decimals: rank key, then
`achieved_at`, then the player id.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Final

from apps.leaderboards.periods import EPOCH

_EXACT: Final = Context(prec=400)
_EQUAL: Final = "m"
_EXPONENT_BIAS: Final = 5_000
_MICROSECOND: Final = timedelta(microseconds=1)
# Microseconds since 1970; 18 digits reach the year 9999 and beyond.
_TIME_DIGITS: Final = 18
# Every integer up to here is a double.
_EXACT_DOUBLES: Final = 2**53
_COMPLEMENT: Final = str.maketrans("0123456789", "9876543210")


def double_and_member(rank_key: Decimal, achieved_at: datetime, player_id: str) -> tuple[str, str]:
    """The double by which Redis orders first, as text, and the member.

    The double never decreases in the rank key; among members of one double, byte order is rank
    order.
    """
    integer = int(rank_key)
    if -_EXACT_DOUBLES <= integer <= _EXACT_DOUBLES and integer == rank_key:
        double, rest = str(integer), _EQUAL  # nearly every score, in a third of the time
    else:
        double = repr(float(rank_key))
        rest = _ordered(_EXACT.subtract(rank_key, Decimal(double)))
    since = achieved_at - EPOCH
    microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    return double, f"{rest}{microseconds:0{_TIME_DIGITS}d}{player_id}"


def parse(member: str, double: float) -> tuple[Decimal, datetime, str]:
    """The rank key, `achieved_at` and player id of a member."""
    rest, tail = _unordered(member)
    microseconds, player_id = int(tail[:_TIME_DIGITS]), tail[_TIME_DIGITS:]
    rank_key = _EXACT.add(Decimal(repr(double)), rest)
    return rank_key, (EPOCH + microseconds * _MICROSECOND).astimezone(UTC), player_id


def _ordered(rest: Decimal) -> str:
    """Text whose order is that of the decimals: sign, exponent, digits, end mark."""
    if rest == 0:
        return _EQUAL
    digits = "".join(map(str, rest.as_tuple().digits)).rstrip("0")
    exponent = f"{rest.adjusted() + _EXPONENT_BIAS:04d}"
    if rest > 0:
        return f"p{exponent}{digits}!"
    # Complemented, and closed by what sorts after every digit: -1.5 before -1.
    return f"b{exponent.translate(_COMPLEMENT)}{digits.translate(_COMPLEMENT)}~"


def _unordered(member: str) -> tuple[Decimal, str]:
    sign = member[0]
    if sign == _EQUAL:
        return Decimal(0), member[1:]
    body, _, tail = member[1:].partition("!" if sign == "p" else "~")
    if sign == "b":
        body = body.translate(_COMPLEMENT)
    exponent, digits = int(body[:4]) - _EXPONENT_BIAS, body[4:]
    value = Decimal((0, tuple(map(int, digits)), exponent - len(digits) + 1))
    return (value if sign == "p" else value.copy_negate()), tail
