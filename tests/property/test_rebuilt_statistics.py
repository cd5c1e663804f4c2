"""Statistics as they are kept, as they are rebuilt, and as plain SQL counts them: the same."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.operations.steps import Silent
from apps.stats.models import StatsAppliedEvent, StatsBuild, StatsBuildEvent
from apps.stats.rebuild import rebuild
from apps.stats.selectors import of_players
from tests.arriving import GAMES, Meanwhile, Stream
from tests.builders import CAST
from tests.copies import copy_of
from tests.emptying import empty
from tests.faults import oracle_sql
from tests.totals import totals

pytestmark = pytest.mark.django_db(transaction=True)
DAMAGES = (
    "DELETE FROM player_statistics WHERE player_id = 'ada'",
    "UPDATE player_statistics SET total_events = total_events + 1, sessions = 0",
    "DELETE FROM player_statistics_daily WHERE day = '2024-02-29'",
    "UPDATE player_statistics_daily SET event_breakdown = '{}'",
    "DELETE FROM player_sessions WHERE session_id < 's2'",
    "DELETE FROM game_statistics_daily",
    "UPDATE game_statistics SET players = 0",
    "INSERT INTO player_sessions VALUES ('chess', 'ada', 'x', '-infinity')",
)


def by_the_oracle() -> list[tuple[Any, ...]]:
    """What differs from plain SQL over the log."""
    with connection.cursor() as cursor:
        cursor.execute(oracle_sql.TOLD)
        cursor.execute(oracle_sql.BASE, {"games": list(GAMES)})
        found: list[tuple[Any, ...]] = []
        for query in (oracle_sql.STATISTICS_DIFFER, oracle_sql.GAMES_DIFFER):
            cursor.execute(query, {"games": list(GAMES)})
            found += cursor.fetchall()
        return found


def damaged(chance: random.Random, game_id: str | None) -> None:
    """Wrong rows, of the game or of all."""
    with connection.cursor() as cursor:
        for statement in chance.sample(DAMAGES, 3):
            if game_id is not None and not statement.startswith("INSERT"):
                word = "AND" if "WHERE" in statement else "WHERE"
                statement = f"{statement} {word} game_id = '{game_id}'"
            cursor.execute(f"{statement}")


def started(seed: int) -> Stream:
    empty()
    stream = Stream(chance=random.Random(seed))
    for _ in range(8):
        stream.apply()
    return stream


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6), game_id=st.sampled_from([None, "chess"]))
def test_live_rebuilt_and_counted_are_one(
    cache: redis.Redis, seed: int, game_id: str | None
) -> None:
    stream = started(seed)
    assert by_the_oracle() == []
    damaged(stream.chance, game_id)
    rebuild(game_id, Meanwhile(stream=stream))
    assert by_the_oracle() == []
    rows = of_players((player, game) for player in CAST for game in GAMES)
    held = [copy_of(row.game_id, row.player_id) for row in rows]
    assert all(copy in (row, None) for row, copy in zip(rows, held, strict=True))
    assert [build.state for build in StatsBuild.objects.all()] == ["done"]
    assert not StatsBuildEvent.objects.exists()


@pytest.mark.parametrize("seed", range(3))
def test_a_rebuild_of_what_is_right_writes_no_row_of_a_player(
    cache: redis.Redis, seed: int
) -> None:
    stream = started(seed)
    before = totals()
    rebuilt = rebuild(None, Silent())
    assert (rebuilt.events, rebuilt.changed) == (StatsAppliedEvent.objects.count(), 0)
    assert totals() == before
    assert stream.due == []
    rebuild(None, Meanwhile(stream=stream))
    assert by_the_oracle() == []
