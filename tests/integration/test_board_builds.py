"""Who reads a board that Redis does not hold, and who builds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis

from apps.leaderboards import board_reads, rank_index, rank_reads
from apps.leaderboards.rank_build import WAITED_FOR, rebuild
from apps.leaderboards.rank_reads import OrderIncomplete, TooDeep
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.rules import Order
from gamemetrics.stack.processes import wait_until
from tests.standings import SCOPE, fill_by_sql, oracle

GREAT = WAITED_FOR + 1


@pytest.fixture
def builders_end() -> Iterator[None]:
    """No builder outlives the test: it would keep the database from being emptied."""
    yield
    for thread in threading.enumerate():
        if thread.name == "board-build":
            thread.join(60)


def first(mode: RankMode = RankMode.ORDINAL) -> str:
    return board_reads.page(SCOPE, mode, 1).lines[0].player_id


@pytest.mark.django_db
def test_a_small_board_is_built_by_its_reader(cache: redis.Redis) -> None:
    fill_by_sql(10, "n")
    assert first() == "p10"
    assert rank_index.size(SCOPE) == 10
    assert not cache.exists(*SCOPE.keys()[2:])


@pytest.mark.django_db
def test_a_board_of_all_time_stays_once_it_is_built(cache: redis.Redis) -> None:
    fill_by_sql(3, "n")
    assert rebuild(SCOPE)
    assert list(map(cache.ttl, SCOPE.keys())) == [-1, -1, -2, -2]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("builders_end")
def test_a_great_board_is_read_from_postgresql_while_it_is_built(cache: redis.Redis) -> None:
    fill_by_sql(GREAT, "n")
    assert first() == f"p{GREAT}"
    assert wait_until(lambda: rank_index.size(SCOPE) == GREAT, seconds=60)
    assert first() == f"p{GREAT}"


@pytest.mark.django_db
@pytest.mark.parametrize("players", [3, GREAT])
def test_there_is_one_builder_at_a_time(cache: redis.Redis, players: int) -> None:
    fill_by_sql(players, "n")
    other = rank_index.Builder(SCOPE, "another builder")
    assert other.begin()
    assert first() == f"p{players}"
    assert not rebuild(SCOPE)
    with pytest.raises(OrderIncomplete):
        rank_reads.page(SCOPE, RankMode.ORDINAL, 1, None)


@pytest.mark.django_db
def test_a_builder_that_died_is_followed_after_its_lease(cache: redis.Redis) -> None:
    fill_by_sql(3, "n")
    assert rank_index.Builder(SCOPE, "a builder that died").begin()
    building = SCOPE.keys()[3]
    assert 0 < int(cache.pttl(building)) <= 60_000
    cache.pexpire(building, 1)
    assert wait_until(lambda: not cache.exists(building), seconds=10)
    assert first() == "p3"
    assert rank_index.size(SCOPE) == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("score", "deep"),
    [
        ("n", True),  # 12,000 scores
        ("n / 100", False),  # 121
        ("mod(n, 3)", False),
        ("n / 10::numeric", True),
    ],
)
def test_dense_ranks_are_exact_however_many_scores_are_ahead(
    cache: redis.Redis, score: str, deep: bool
) -> None:
    fill_by_sql(12_000, score)
    assert rebuild(SCOPE)
    stands = oracle(Order.DESC)
    for index in (0, 1, 5_000, 11_999):
        stand = stands[index]
        found = board_reads.around(SCOPE, RankMode.DENSE, stand.player_id, 0)
        assert found is not None and found.ranks(RankMode.DENSE) == [stand.ranks[RankMode.DENSE]]
    last = [stands[0].player_id, stands[-1].player_id]
    looked = board_reads.lookup(SCOPE, RankMode.DENSE, last)
    assert [rank for rank, _ in looked.lines] == [1, stands[-1].ranks[RankMode.DENSE]]
    if deep:
        with pytest.raises(TooDeep):
            rank_reads.lookup(SCOPE, RankMode.DENSE, last)
    else:
        assert rank_reads.lookup(SCOPE, RankMode.DENSE, last) == looked
