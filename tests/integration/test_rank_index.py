"""Rank order in Redis: complete or not at all, and never older than PostgreSQL's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.leaderboards import rank_index, rank_reads, selectors
from apps.leaderboards.folding import Deltas, Scored
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod, Builder, Place, Untold
from apps.leaderboards.services import merge, show
from apps.leaderboards.windows import Window
from apps.ledger.cache import CacheUnavailable
from tests.builders import CAST, GAME, NOW, board, minutes
from tests.totals import top, top_from_rows

pytestmark = pytest.mark.django_db
SCOPE = BoardPeriod(game_id=GAME, board="points", period=Period.ALLTIME, period_start=EPOCH)
POINTS = board(periods=(Period.ALLTIME,))


def score(player_id: str, points: int, *, minute: int = 0) -> list[Place | Untold]:
    """Commit a score to PostgreSQL; what Redis may have to be told."""
    deltas = Deltas()
    deltas.add(Scored(POINTS, player_id, minutes(minute), Decimal(points)))
    return merge(deltas)


def places(*player_ids: str) -> list[Place]:
    """As they stand in PostgreSQL."""
    return selectors.places((GAME, EPOCH, player_id) for player_id in player_ids)


def names(found: Window) -> list[str]:
    return [line.player_id for line in found.lines]


def doubles(cache: redis.Redis) -> list[float]:
    """By which Redis orders the first entries."""
    found: Any = cache.zrange(SCOPE.keys()[0], 0, 9, withscores=True)
    return [double for _, double in found]


def place(player_id: str, points: int, *, version: int) -> Place:
    return Place(
        scope=SCOPE,
        player_id=player_id,
        rank_key=Decimal(-points),
        achieved_at=NOW,
        version=version,
    )


def test_heavy_ties_rank_alike_in_redis_and_postgresql(cache: redis.Redis) -> None:
    random = Random(7)
    players = [f"player {number}" for number in range(300)]
    top(SCOPE, 1)
    for player_id in players:
        show(score(player_id, random.randint(0, 3), minute=random.randint(0, 3)))
    assert rank_index.size(SCOPE) == 300
    for limit in (1, 10, 299, 300, 1000):
        assert top(SCOPE, limit) == top_from_rows(SCOPE, limit)


def test_an_emptied_redis_is_rebuilt(cache: redis.Redis) -> None:
    for points, player_id in enumerate(CAST):
        show(score(player_id, points))
    assert names(top(SCOPE, 10)) == ["cyd", "bo", "ada"]
    cache.flushdb()
    assert rank_index.size(SCOPE) is None
    assert top(SCOPE, 10) == top_from_rows(SCOPE, 10)
    assert rank_index.size(SCOPE) == 3


def test_what_was_written_after_redis_was_emptied_is_not_taken_for_all(
    cache: redis.Redis,
) -> None:
    for points, player_id in enumerate(CAST):
        show(score(player_id, points))
    cache.flushdb()
    show(score("ada", 9))
    assert rank_index.size(SCOPE) is None
    assert names(top(SCOPE, 10)) == ["ada", "cyd", "bo"]


@pytest.mark.parametrize("part", [0, 1], ids=["order", "players"])
def test_a_period_that_lost_one_of_its_keys_is_rebuilt(part: int, cache: redis.Redis) -> None:
    for points, player_id in enumerate(CAST):
        show(score(player_id, points))
    top(SCOPE, 10)
    cache.delete(SCOPE.keys()[part])
    assert top(SCOPE, 10) == top_from_rows(SCOPE, 10)
    assert rank_index.size(SCOPE) == 3


def test_a_stale_version_does_not_overwrite(cache: redis.Redis) -> None:
    top(SCOPE, 1)
    for points, version in ((10, 2), (5, 1), (20, 3), (10, 2)):
        rank_index.put([place("ada", points, version=version)])
    assert doubles(cache) == [-20.0]
    assert rank_index.size(SCOPE) == 1


def test_a_write_during_a_rebuild_is_not_lost(cache: redis.Redis) -> None:
    score("ada", 1)
    score("bo", 2)
    snapshot = places("ada", "bo")
    builder = Builder(SCOPE, "first")
    builder.begin()
    show(score("ada", 9))  # after the snapshot, before it is added
    builder.add(snapshot)
    show(score("cyd", 5))  # while the build is whole, not renamed in
    assert builder.finish()
    assert names(top(SCOPE, 10)) == ["ada", "cyd", "bo"]
    assert top(SCOPE, 10) == top_from_rows(SCOPE, 10)


def test_a_rebuild_that_was_overtaken_renames_nothing_in(cache: redis.Redis) -> None:
    first, second = Builder(SCOPE, "first"), Builder(SCOPE, "second")
    score("ada", 1)
    assert first.begin()
    cache.delete(SCOPE.keys()[3])  # as when its lease is over
    assert second.begin()
    assert not first.add(places("ada"))
    assert not first.finish()
    assert second.add(places("ada"))
    assert second.finish()
    assert rank_index.size(SCOPE) == 1


def test_one_builds_while_the_others_read_from_postgresql(cache: redis.Redis) -> None:
    score("ada", 1)
    builder = Builder(SCOPE, "first")
    assert builder.begin()
    assert not Builder(SCOPE, "second").begin()
    assert names(top(SCOPE, 10)) == ["ada"]
    assert rank_index.size(SCOPE) is None


def test_a_rebuild_that_redis_forgot_renames_nothing_in(cache: redis.Redis) -> None:
    builder = Builder(SCOPE, "first")
    builder.begin()
    cache.flushdb()
    score("ada", 1)
    builder.add(places("ada"))
    assert not builder.finish()
    assert rank_index.size(SCOPE) is None


def test_a_build_that_nobody_goes_on_with_is_given_up(cache: redis.Redis) -> None:
    builder = Builder(SCOPE, "first")
    builder.begin()
    score("ada", 1)
    builder.add(places("ada"))
    for key in SCOPE.keys()[2:]:
        assert 0 < int(cache.ttl(key)) <= 60


def test_an_alltime_order_has_no_end(cache: redis.Redis) -> None:
    show(score("ada", 1))
    top(SCOPE, 1)
    assert [int(cache.ttl(key)) for key in SCOPE.keys()[:2]] == [-1, -1]


def test_an_order_that_nobody_has_read_is_not_written(cache: redis.Redis) -> None:
    show(score("ada", 1))
    assert cache.keys("lb:*") == []


def test_rows_are_asked_for_where_an_order_seems_to_be_kept_up(cache: redis.Redis) -> None:
    show(score("ada", 1))  # nothing is kept up, and this process knows
    top(SCOPE, 1)  # now it is, and this process does not know
    for points, total, told in ((2, 3, Untold), (4, 7, Place)):
        changes = score("ada", points)
        assert [type(change) for change in changes] == [told]
        show(changes)
        assert doubles(cache) == [-total]
    cache.flushdb()
    for told in (Place, Untold):
        changes = score("bo", 9)
        assert [type(change) for change in changes] == [told]
        show(changes)
        assert cache.keys("lb:*") == []


def test_an_order_that_is_built_after_the_commit_has_what_was_not_told(cache: redis.Redis) -> None:
    show(score("ada", 1))
    untold = score("bo", 2)
    top(SCOPE, 1)
    show(score("bo", 3))
    show(untold)  # late, and still as bo stands now
    assert doubles(cache) == [-5.0, -1.0]
    assert top(SCOPE, 10) == top_from_rows(SCOPE, 10)


def test_what_is_left_of_an_order_that_is_not_complete_goes_with_the_next_write(
    cache: redis.Redis,
) -> None:
    show(score("ada", 1))
    top(SCOPE, 1)
    rank_index.mark_incomplete(SCOPE)
    show(score("bo", 2))
    assert cache.keys("lb:*") == []
    assert names(top(SCOPE, 10)) == ["bo", "ada"]


def test_of_two_changes_of_one_player_in_a_write_the_newer_stays(cache: redis.Redis) -> None:
    top(SCOPE, 1)
    for versions in ((3, 9), (12, 10)):
        rank_index.put([place("ada", version, version=version) for version in versions])
    assert doubles(cache) == [-12.0]
    assert rank_index.size(SCOPE) == 1


def test_a_redis_that_forgot_its_scripts_is_told_them_again(cache: redis.Redis) -> None:
    top(SCOPE, 1)
    cache.script_flush()
    show(score("ada", 1))
    assert rank_index.size(SCOPE) == 1


def test_a_board_without_entries_is_complete_and_empty(cache: redis.Redis) -> None:
    assert top(SCOPE, 10) == Window(total=0, ahead=0, better=0, distinct=0, lines=())
    assert rank_index.size(SCOPE) == 0


def test_a_period_outlives_its_last_write_for_a_while(cache: redis.Redis) -> None:
    daily = replace(SCOPE, period=Period.DAILY, period_start=NOW - timedelta(hours=12))
    top(daily, 1)
    rank_index.put([place("ada", 1, version=1)._replace(scope=daily)])
    for key in daily.keys()[:2]:
        assert 2 * 86400 < int(cache.ttl(key)) <= 3 * 86400
    assert cache.ttl(SCOPE.keys()[0]) == -2


@pytest.fixture
def redis_away(cache: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    away = redis.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    for module in (rank_index, rank_reads):
        monkeypatch.setattr(module, "client", lambda: away)
    yield
    away.close()


def test_a_board_is_read_from_postgresql_while_redis_is_away(redis_away: None) -> None:
    changes = score("ada", 1)
    with pytest.raises(CacheUnavailable):
        show(changes)
    assert names(top(SCOPE, 10)) == ["ada"]
