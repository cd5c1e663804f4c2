"""Aggregates as they are kept, filled, changed and rebuilt, and as plain SQL counts them: the same.

The SQL goes from the log's rows to values, one definition at a time. It shares no code with what
wrote them, and knows each pointer by hand.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import redis
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.operations.steps import Silent
from apps.reconcile.aggregates import AggregatesProjection
from apps.stats.aggregate_models import StatDefinition
from apps.stats.aggregates import Definition, Operator
from apps.stats.declaration import change, declare
from apps.stats.rebuild import rebuild
from apps.stats.selectors import of_players
from tests.arriving import GAMES, Meanwhile, Stream
from tests.builders import CAST
from tests.copies import copy_of
from tests.emptying import empty
from tests.totals import totals

pytestmark = pytest.mark.django_db(transaction=True)
# A pointer, and the same in SQL.
POINTERS = {
    "/v": "data->'v'",
    "/v/v": "data->'v'->'v'",
    "/n/1": """CASE jsonb_typeof(data->'n') WHEN 'array' THEN data->'n'->1
                    ELSE data->'n'->'1' END""",
    "/n/01": "CASE WHEN jsonb_typeof(data->'n') = 'object' THEN data->'n'->'01' END",
    "/n/-1": "CASE WHEN jsonb_typeof(data->'n') = 'object' THEN data->'n'->'-1' END",
    "/a~1b/": "data->'a/b'->''",
}
VALUES = {
    Operator.SUM: "sum(x)",
    Operator.MIN: "min(x)",
    Operator.MAX: "max(x)",
    # The one that no other is later than.
    Operator.LAST: "max(x) FILTER (WHERE from_the_end = 1)",
}
EXPECTED = """
WITH told AS (
  SELECT event_id, player_id, event_timestamp AS at,
         date_trunc('day', event_timestamp, 'UTC') AT TIME ZONE 'UTC' AS day, {json} AS json
    FROM events WHERE game_id = %(game_id)s AND event_type = ANY(%(types)s)
), numbers AS (
  SELECT told.*, CASE WHEN jsonb_typeof(json) <> 'number' THEN NULL
                      WHEN json::numeric NOT BETWEEN -1e30 + 1e-30 AND 1e30 - 1e-30 THEN NULL
                      WHEN json::numeric <> round(json::numeric, 30) THEN NULL
                      ELSE json::numeric END AS x
    FROM told
), spread AS (
  SELECT player_id, 'alltime' AS day, at, event_id, x FROM numbers
  UNION ALL SELECT player_id, day::date::text, at, event_id, x FROM numbers
), placed AS (
  SELECT spread.*, CASE WHEN x IS NOT NULL THEN row_number() OVER (
           PARTITION BY player_id, day, x IS NULL ORDER BY at DESC, event_id::text DESC)
         END AS from_the_end
    FROM spread
)
SELECT player_id, day, {value}, count(x), count(*) - count(x) FROM placed GROUP BY player_id, day
"""
HELD = """
SELECT player_id, CASE WHEN isfinite(day) THEN day::text ELSE 'alltime' END, value, counted, skipped
  FROM player_aggregates WHERE game_id = %s AND name = %s
"""
DAMAGES = (
    "DELETE FROM player_aggregates WHERE player_id = 'ada'",
    "UPDATE player_aggregates SET value = value + 1",
    "UPDATE player_aggregates SET skipped = 0, last_at = NULL WHERE day > '2024-01-01'",
    "INSERT INTO player_aggregates SELECT game_id, player_id, name || '-', day, operator, value,"
    " last_at, last_event_id, counted, skipped, updated_at FROM player_aggregates",
)


def differing() -> list[Any]:
    """Where rows are not what SQL counts; and rows of no definition."""
    found: list[Any] = []
    with connection.cursor() as cursor:
        current = StatDefinition.objects.filter(current=True)
        for kept in current:
            operator = Operator(kept.operator)
            query = EXPECTED.format(json=POINTERS[kept.pointer], value=VALUES[operator])
            cursor.execute(query, {"game_id": kept.game_id, "types": kept.event_types})
            expected = set(cursor.fetchall())
            cursor.execute(HELD, [kept.game_id, kept.name])
            held = set(cursor.fetchall())
            if held != expected:
                found.append((kept, held - expected, expected - held))
        cursor.execute(
            "SELECT a.game_id, a.name FROM player_aggregates AS a WHERE NOT EXISTS ("
            "  SELECT 1 FROM stat_definitions AS d WHERE d.current AND d.operator = a.operator"
            "     AND (d.game_id, d.name) = (a.game_id, a.name))"
        )
        found += cursor.fetchall()
    return found


def copies_differ() -> list[Any]:
    """Where Redis has a copy that is not the row."""
    rows = of_players((player, game) for player in CAST for game in GAMES)
    held = [(row, copy_of(row.game_id, row.player_id)) for row in rows]
    return [(row, copy) for row, copy in held if copy not in (row, None)]


def drawn(chance: random.Random, name: str) -> Definition:
    types = ("login", "player_score", "logout")
    return Definition(
        game_id=chance.choice(GAMES),
        name=name,
        event_types=tuple(sorted(chance.sample(types, chance.randint(1, 3)))),
        pointer=chance.choice(list(POINTERS)),
        operator=chance.choice(list(Operator)),
    )


def started(seed: int) -> Stream:
    empty()
    return Stream(chance=random.Random(seed))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6))
def test_live_is_what_sql_counts_whatever_the_order_the_repeats_and_the_cuts(
    cache: redis.Redis, seed: int
) -> None:
    stream = started(seed)
    stream.log()
    for operator in Operator:
        for number in range(2):
            made = replace(drawn(stream.chance, f"{operator}{number}"), operator=operator)
            StatDefinition.put_in_force(made, 1, by="ada", reason="")
    for _ in range(10):
        stream.apply()
    assert differing() == []
    assert copies_differ() == []


@pytest.mark.parametrize("seed", range(6))
def test_declared_changed_and_rebuilt_while_events_come_in(cache: redis.Redis, seed: int) -> None:
    stream = started(seed)
    for _ in range(6):
        stream.apply()
    first = drawn(stream.chance, "one")
    declare(first, by="ada", display=Meanwhile(stream=stream))
    assert differing() == [] and copies_differ() == []
    declare(drawn(stream.chance, "two"), by="ada")
    changed = replace(drawn(random.Random(seed + 1), "one"), game_id=first.game_id)
    change(changed, by="bo", display=Meanwhile(stream=stream))
    assert differing() == [] and copies_differ() == []
    stream.apply()
    before = totals()
    with connection.cursor() as cursor:
        cursor.execute(f"{stream.chance.choice(DAMAGES)}")
    rebuild(None, Silent())
    assert totals() == before
    assert differing() == [] and copies_differ() == []
    assert [AggregatesProjection().differing(game, None) for game in GAMES] == [[], []]
