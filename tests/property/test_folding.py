"""Folding by day and then into periods gives what folding each period by itself gives."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from apps.leaderboards.folding import Deltas, Scored
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Definition, Operator, Order, Standing, merge, standing
from tests.builders import CAST, NOW, board, event_id

MINUTE = timedelta(minutes=1)
# Around the end of a month that is no end of a week; St. John's once turned its clocks back over
# midnight, so that a day came twice.
moments = (
    st.integers(-72, 72).map(lambda hours: NOW + timedelta(days=10, hours=hours))
    | st.integers(0, 600).map(lambda m: datetime(2007, 11, 4, tzinfo=UTC) + m * MINUTE)
    | st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))
)
attempts = st.lists(
    st.tuples(st.sampled_from(CAST), moments, st.integers(-2, 4).map(Decimal)), max_size=20
)
definitions = st.builds(
    lambda operator, order, periods, zone: board(
        operator=operator,
        order=order,
        periods=tuple(sorted(periods)),
        timezone=zone,
        season="0 4 * * *" if Period.SEASON in periods else "",
    ),
    st.sampled_from(Operator),
    st.sampled_from(Order),
    st.sets(st.sampled_from(Period), min_size=1),
    st.sampled_from(["UTC", "Europe/Vienna", "America/St_Johns", "Asia/Kathmandu"]),
)


@given(definitions, attempts)
def test_each_period_gets_what_was_scored_in_it(
    definition: Definition, found: list[tuple[str, datetime, Decimal]]
) -> None:
    deltas = Deltas()
    expected: dict[tuple[Period, datetime, str], list[Standing]] = defaultdict(list)
    latest = definition.operator is Operator.LATEST
    for number, (player_id, at, score) in enumerate(found):
        named = event_id(number) if latest else ""
        deltas.add(Scored(definition, player_id, at, score, named))
        for period in definition.periods:
            start = definition.start_of(period, at)
            expected[period, start, player_id].append(standing(score, at, named))
    rows = deltas.rows(definition.operator)
    merged = [
        (
            (scope["period"], scope["period_start"], delta["player_id"]),
            Standing(
                delta["score"], delta["achieved_at"], delta["moved"], delta.get("event_id", "")
            ),
        )
        for delta in rows.deltas
        for scope in rows.scopes
        if scope["part"] == delta["part"]
    ]
    # PostgreSQL refuses to touch a row twice in one statement.
    assert len(merged) == len(expected)
    assert dict(merged) == {
        key: reduce(lambda a, b: merge(definition.operator, definition.order, a, b), standings)
        for key, standings in expected.items()
    }


@given(definitions, attempts)
def test_a_player_of_one_day_travels_once(
    definition: Definition, found: list[tuple[str, datetime, Decimal]]
) -> None:
    deltas = Deltas()
    for player_id, _, score in found:
        deltas.add(Scored(definition, player_id, NOW, score))
    assert len(deltas.rows(definition.operator).deltas) == len({player for player, _, _ in found})
