"""PostgreSQL merges entries as the rules do, and Redis ranks them as PostgreSQL does."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from functools import reduce

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.leaderboards import rank_index
from apps.leaderboards.folding import Deltas, Scored
from apps.leaderboards.models import Entry
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.rules import Definition, Operator, Order, merge, standing
from apps.leaderboards.services import merge as write
from apps.leaderboards.services import show
from tests.builders import CAST, GAME, board, minutes
from tests.totals import top, top_from_rows

pytestmark = pytest.mark.django_db
few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
scores = st.sampled_from(["0", "0", "1", "1.50", "-1", "9007199254740993"]).map(Decimal) | (
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**29), max_value=10**29, places=30
    )
)
Attempt = tuple[str, Decimal, datetime, str]
# What one transaction brings.
batches = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(CAST), scores, st.integers(0, 4).map(minutes), st.uuids().map(str)
        ),
        max_size=6,
    ),
    min_size=1,
    max_size=6,
)
SCOPE = BoardPeriod(game_id=GAME, board="points", period=Period.ALLTIME, period_start=EPOCH)


def written(definition: Definition, found: list[list[Attempt]]) -> None:
    """Each batch in a write of its own, Redis after it."""
    for batch in found:
        deltas = Deltas()
        for player_id, score, at, named in batch:
            deltas.add(Scored(definition, player_id, at, score, _kept(definition.operator, named)))
        show(write(deltas))


def _kept(operator: Operator, named: str) -> str:
    return named if operator is Operator.LATEST else ""


def definition(operator: Operator, order: Order) -> Definition:
    return board(operator=operator, order=order, periods=(Period.ALLTIME,))


@few
@given(found=batches, operator=st.sampled_from(Operator), order=st.sampled_from(Order))
def test_postgresql_merges_as_the_rules_do_in_any_order(
    cache: redis.Redis, found: list[list[Attempt]], operator: Operator, order: Order
) -> None:
    expected = defaultdict(list)
    for player_id, score, at, named in (attempt for batch in found for attempt in batch):
        expected[player_id].append(standing(score, at, _kept(operator, named)))
    folded = {
        player_id: reduce(lambda one, other: merge(operator, order, one, other), standings)
        for player_id, standings in expected.items()
    }
    for arrival in (found, found[::-1], [[attempt for batch in found for attempt in batch]]):
        Entry.objects.all().delete()
        written(definition(operator, order), arrival)
        rows = {row.player_id: row for row in Entry.objects.all()}
        assert set(rows) == set(folded)
        for player_id, row in rows.items():
            value = folded[player_id]
            assert row.score == value.score
            assert row.achieved_at == value.achieved_at
            assert row.moved == value.moved
            assert str(row.event_id or "") == value.event_id
            assert row.rank_key == (row.score.copy_negate() if order is Order.DESC else row.score)


@few
@given(found=batches, operator=st.sampled_from(Operator), order=st.sampled_from(Order))
def test_the_top_from_redis_is_the_top_from_postgresql(
    cache: redis.Redis, found: list[list[Attempt]], operator: Operator, order: Order
) -> None:
    Entry.objects.all().delete()
    cache.flushdb()
    half = len(found) // 2
    written(definition(operator, order), found[:half])
    top(SCOPE, 10)  # builds, so that what follows is written into it
    written(definition(operator, order), found[half:])
    from_rows = top_from_rows(SCOPE, 2)
    assert rank_index.size(SCOPE) == from_rows.total
    assert top(SCOPE, 2) == from_rows
