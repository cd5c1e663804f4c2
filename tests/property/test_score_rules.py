"""Standings come together in any order and grouping, and mean what a child would say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Context, Decimal
from functools import reduce

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.leaderboards.ranks import RankMode, ranks
from apps.leaderboards.rules import ONE, Operator, Order, Standing, merge, standing
from tests.builders import minutes

EXACT = Context(prec=200)
Attempt = tuple[Decimal, datetime, str]

scores = st.sampled_from(["0", "0.0", "1", "1.50", "-1", "7"]).map(Decimal) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**29), max_value=10**29, places=30
)
# An id is of one event, whatever list it is drawn for.
ids = st.uuids().map(str)
attempts = st.lists(st.tuples(scores, st.integers(0, 5).map(minutes), ids), min_size=1, max_size=8)
operators = st.sampled_from(Operator)
orders = st.sampled_from(Order)


def fold(operator: Operator, order: Order, found: Sequence[Attempt]) -> Standing:
    latest = operator is Operator.LATEST
    standings = [standing(score, at, named if latest else "") for score, at, named in found]
    return reduce(lambda one, other: merge(operator, order, one, other), standings)


@given(attempts, operators, orders)
def test_the_order_of_arrival_changes_no_standing(
    found: list[Attempt], operator: Operator, order: Order
) -> None:
    forwards = fold(operator, order, found)
    assert fold(operator, order, list(reversed(found))) == forwards
    assert fold(operator, order, sorted(found)) == forwards


@given(attempts, attempts, attempts, operators, orders)
def test_the_grouping_changes_no_standing(
    a: list[Attempt], b: list[Attempt], c: list[Attempt], operator: Operator, order: Order
) -> None:
    one, two, three = (fold(operator, order, found) for found in (a, b, c))
    left = merge(operator, order, merge(operator, order, one, two), three)
    right = merge(operator, order, one, merge(operator, order, two, three))
    assert left == right == fold(operator, order, [*a, *b, *c])


@given(attempts, orders, st.sampled_from([Operator.BEST, Operator.MIN, Operator.MAX]))
def test_one_attempt_gives_a_best_score_and_the_first_time_that_it_was_reached(
    found: list[Attempt], order: Order, operator: Operator
) -> None:
    greatest = operator is Operator.MAX or (operator is Operator.BEST and order is Order.DESC)
    best = (max if greatest else min)(score for score, _, _ in found)
    standing_now = fold(operator, order, found)
    assert standing_now.score == best
    assert standing_now.achieved_at == min(at for score, at, _ in found if score == best)


@given(attempts, orders)
def test_the_latest_is_so_by_the_time_of_its_event(found: list[Attempt], order: Order) -> None:
    score, at, named = max(found, key=lambda attempt: (attempt[1], attempt[2], attempt[0]))
    assume(sum(attempt[1:] == (at, named) for attempt in found) == 1)
    assert fold(Operator.LATEST, order, found) == standing(score, at, named)


@given(attempts, orders)
def test_a_count_is_reached_by_the_last_event(found: list[Attempt], order: Order) -> None:
    ones = [(ONE, at, named) for _, at, named in found]
    standing_now = fold(Operator.COUNT, order, ones)
    assert standing_now.score == len(found)
    assert standing_now.achieved_at == max(at for _, at, _ in found)


@given(attempts, orders)
def test_a_sum_is_reached_by_the_last_score_but_zero(found: list[Attempt], order: Order) -> None:
    standing_now = fold(Operator.SUM, order, found)
    total = Decimal(0)
    for score, _, _ in found:
        total = EXACT.add(total, score)
    moves = [at for score, at, _ in found if score != 0]
    assert standing_now.score == total
    assert standing_now.achieved_at == (max(moves) if moves else min(at for _, at, _ in found))


@given(st.lists(st.integers(0, 4).map(Decimal), max_size=12))
def test_ranks_say_how_many_are_before(found: list[Decimal]) -> None:
    descending = sorted(found, reverse=True)
    assert ranks(RankMode.ORDINAL, descending) == list(range(1, len(found) + 1))
    assert ranks(RankMode.COMPETITION, descending) == [
        1 + sum(other > score for other in found) for score in descending
    ]
    assert ranks(RankMode.DENSE, descending) == [
        1 + len({other for other in found if other > score}) for score in descending
    ]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (RankMode.ORDINAL, [1, 2, 3, 4]),
        (RankMode.COMPETITION, [1, 2, 2, 4]),
        (RankMode.DENSE, [1, 2, 2, 3]),
    ],
)
def test_two_in_the_second_place(mode: RankMode, expected: list[int]) -> None:
    assert ranks(mode, [Decimal(9), Decimal("5.0"), Decimal("5.00"), Decimal(1)]) == expected
