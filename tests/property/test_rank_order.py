"""The bytes of a sorted set's member rank as the exact decimals do."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Context, Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.leaderboards.periods import EPOCH
from apps.leaderboards.rank_members import double_and_member, parse
from tests.builders import NOW

EXACT = Context(prec=200)


def with_digits(whole: int, fraction: int, scale: int) -> Decimal:
    return EXACT.add(Decimal(whole), EXACT.scaleb(Decimal(fraction), -scale))


scores = st.builds(
    with_digits,
    st.integers(-(10**30) + 1, 10**30 - 1),
    st.integers(0, 10**30 - 1),
    st.sampled_from([0, 1, 2, 15, 17, 30]),
) | st.integers(-5, 5).map(Decimal)
# Differences that a double does not hold.
close = st.builds(
    lambda base, ticks: EXACT.add(base, EXACT.scaleb(Decimal(ticks), -30)),
    st.sampled_from([Decimal(0), Decimal("0.1"), Decimal(10**17), Decimal(-(10**29)), Decimal(1)]),
    st.integers(-300, 300),
)
keys = scores | close
moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 30)).map(
    lambda naive: naive.replace(tzinfo=EPOCH.tzinfo)
)
near = st.integers(0, 3).map(lambda step: NOW + timedelta(microseconds=step))
players = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=8
)
places = st.tuples(keys, moments | near, players)


def double_of(key: Decimal) -> float:
    double, _ = double_and_member(key, NOW, "ada")
    return float(double)


def by_redis(found: list[tuple[Decimal, datetime, str]]) -> list[tuple[Decimal, datetime, str]]:
    """In the order that a sorted set gives: by double, then by the member's bytes."""

    def placed(place: tuple[Decimal, datetime, str]) -> tuple[float, bytes]:
        double, member = double_and_member(*place)
        return float(double), member.encode()

    return sorted(found, key=placed)


@given(places)
def test_a_member_says_what_it_was_made_of(place: tuple[Decimal, datetime, str]) -> None:
    double, member = double_and_member(*place)
    assert parse(member, float(double)) == place


@given(st.lists(places, min_size=2, max_size=12))
def test_redis_orders_places_as_the_decimals_do(
    found: list[tuple[Decimal, datetime, str]],
) -> None:
    assert by_redis(found) == sorted(found, key=lambda p: (p[0], p[1], p[2].encode()))


@given(st.lists(st.tuples(close, near, st.sampled_from(["ada", "bo", "cyd"])), min_size=2))
def test_redis_orders_what_a_double_holds_apart_no_more(
    found: list[tuple[Decimal, datetime, str]],
) -> None:
    assert by_redis(found) == sorted(found, key=lambda p: (p[0], p[1], p[2].encode()))


@given(keys, keys)
def test_a_greater_key_has_no_smaller_double(one: Decimal, other: Decimal) -> None:
    assert (one < other) <= (double_of(one) <= double_of(other))
