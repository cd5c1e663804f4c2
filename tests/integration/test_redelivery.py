"""A chunk that comes again, in whatever cut, changes nothing but a Redis that forgot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from apps.contract.chunk import Record
from apps.contract.queues import Consumer
from apps.leaderboards.periods import CALENDAR, start_of
from apps.leaderboards.rank_build import rebuild
from apps.leaderboards.rank_index import BoardPeriod
from apps.ledger.cache import CacheUnavailable
from apps.ledger.models import AppliedChunk, ConsumerPosition
from apps.ledger.services import Outcome, apply_chunk
from apps.stats.services import StatsConsumer
from tests.builders import CAST, GAME, NOW, OTHER_TOPIC_ID, chunk, points_of_the_cast, record
from tests.copies import counted, read_before
from tests.totals import CONSUMERS, done, events_of, score_of, totals

pytestmark = pytest.mark.django_db
every_consumer = pytest.mark.parametrize("name", list(Consumer))


def snapshot_of(cache: redis.Redis) -> dict[bytes, object]:
    """What Redis holds, by key."""
    found: dict[bytes, object] = {}
    for key in cache.scan_iter():
        kind = cache.type(key)
        if kind == b"zset":
            found[key] = cache.zrange(key, 0, -1, withscores=True)
        elif kind == b"hash":
            found[key] = cache.hgetall(key)
        else:
            found[key] = cache.get(key)
    return found


@contextmanager
def lost_writes(cache: redis.Redis, records: Iterable[Record]) -> Iterator[None]:
    """What comes to Redis meanwhile is lost again; boards and copies are there all the time."""
    for record_ in records:
        read_before(record_.game_id, [record_.player_id])
        for period in CALENDAR:
            start = start_of(period, record_.timestamp, "UTC")
            rebuild(
                BoardPeriod(
                    game_id=record_.game_id, board="default", period=period, period_start=start
                )
            )
    before = {key: cache.dump(key) or b"" for key in cache.scan_iter()}
    yield
    cache.flushdb()
    for key, held in before.items():
        cache.restore(key, 0, held)


@every_consumer
def test_a_redelivered_chunk_changes_no_total(name: Consumer, cache: redis.Redis) -> None:
    carried = chunk(points_of_the_cast(30))
    first = apply_chunk(CONSUMERS[name], carried)
    before = totals()
    again = apply_chunk(CONSUMERS[name], carried)
    assert (first.applied, first.duplicates, first.dead) == (30, 0, 0)
    assert again == Outcome(redelivered=True)
    assert totals() == before


@pytest.mark.parametrize("name", [Consumer.STATS, Consumer.LEADERBOARDS])
def test_a_redelivered_chunk_repeats_the_redis_write_unless_it_is_noted(
    name: Consumer, cache: redis.Redis
) -> None:
    records = points_of_the_cast(30)
    with lost_writes(cache, records):
        unwritten = snapshot_of(cache)
        apply_chunk(CONSUMERS[name], chunk(records))
        written = snapshot_of(cache)
    assert written != unwritten
    assert snapshot_of(cache) == unwritten
    # It says that Redis has all of it, so a copy that comes late costs no look at the places.
    apply_chunk(CONSUMERS[name], chunk(records))
    assert snapshot_of(cache) == unwritten
    AppliedChunk.objects.update(cached=False)
    apply_chunk(CONSUMERS[name], chunk(records))
    assert snapshot_of(cache) == written


class DiesBeforeRedis(StatsConsumer):
    """Commits, and never comes to its Redis write."""

    def refresh(self, changes: list[Any]) -> None:
        raise CacheUnavailable("the worker died here")


def test_a_committed_chunk_is_done_only_when_redis_has_it(cache: redis.Redis) -> None:
    carried = chunk(points_of_the_cast(30))
    with pytest.raises(CacheUnavailable):
        apply_chunk(DiesBeforeRedis(), carried)
    assert events_of("ada") == 10
    assert not AppliedChunk.objects.get().cached
    apply_chunk(CONSUMERS[Consumer.STATS], carried)
    assert AppliedChunk.objects.get().cached
    assert events_of("ada") == 10


def test_a_chunk_that_changed_nothing_in_redis_is_done_at_its_commit(cache: redis.Redis) -> None:
    apply_chunk(CONSUMERS[Consumer.LOGGING], chunk(points_of_the_cast(3)))
    assert AppliedChunk.objects.get().cached


@pytest.mark.parametrize("name", [Consumer.STATS, Consumer.LEADERBOARDS])
def test_a_late_redelivery_does_not_take_redis_back(name: Consumer, cache: redis.Redis) -> None:
    early, late = chunk(points_of_the_cast(9)), chunk(points_of_the_cast(9, first_offset=9))
    read_before(GAME, CAST)
    for carried in (early, late):
        apply_chunk(CONSUMERS[name], carried)
    written = snapshot_of(cache)
    apply_chunk(CONSUMERS[name], early)
    assert snapshot_of(cache) == written


@pytest.mark.parametrize("name", [Consumer.STATS, Consumer.LEADERBOARDS])
@pytest.mark.parametrize("cut", [(0, 12), (5, 6), (0, 9)], ids=["more", "part", "same"])
def test_an_event_that_comes_in_another_cut_repeats_the_redis_write(
    name: Consumer, cut: tuple[int, int], cache: redis.Redis
) -> None:
    records = points_of_the_cast(12)
    with lost_writes(cache, records):
        apply_chunk(CONSUMERS[name], chunk(records[:9]))
    again = chunk(records[cut[0] : cut[1]], first_offset=cut[0], next_offset=30)
    apply_chunk(CONSUMERS[name], again)
    touched = {record.player_id for record in records[cut[0] : cut[1]]}
    if name is Consumer.STATS:
        anew = {player for player in CAST if counted(GAME, [player]) != [0]}
        assert anew == touched
    else:
        (players,) = (key for key in cache.keys("*alltime*:player"))
        found = set(cache.hkeys(players)) - {b""}  # the mark of completeness
        assert found == {player_id.encode() for player_id in touched}


@every_consumer
def test_an_event_that_lies_in_two_chunks_is_applied_once(
    name: Consumer, cache: redis.Redis
) -> None:
    apply_chunk(CONSUMERS[name], chunk([record(0, number=7)]))
    before = totals()
    outcome = apply_chunk(CONSUMERS[name], chunk([record(1, number=7), record(2, number=7)]))
    assert (outcome.applied, outcome.duplicates) == (0, 2)
    assert totals() == before
    assert done(name) == [(0, 1), (1, 3)]


@every_consumer
def test_an_event_that_lies_twice_in_a_chunk_is_applied_once(
    name: Consumer, cache: redis.Redis
) -> None:
    twice = [record(0, number=7, at=NOW), record(1, number=7, at=NOW), record(2, at=NOW)]
    outcome = apply_chunk(CONSUMERS[name], chunk(twice))
    assert (outcome.applied, outcome.duplicates) == (2, 1)


@every_consumer
def test_overlapping_chunks_apply_each_event_once(name: Consumer, cache: redis.Redis) -> None:
    records = points_of_the_cast(30)
    for first, following in ((0, 12), (6, 20), (3, 9), (0, 30)):
        apply_chunk(CONSUMERS[name], chunk(records[first:following]))
    overlapped = totals()
    for other in (1, 2):
        apply_chunk(CONSUMERS[name], chunk(records[:other], partition=other))
    assert totals() == overlapped


def test_overlapping_chunks_leave_the_totals_of_one_chunk(cache: redis.Redis) -> None:
    records = points_of_the_cast(30)
    for consumer in CONSUMERS.values():
        for first, following in ((0, 12), (6, 20), (3, 9), (15, 30)):
            apply_chunk(consumer, chunk(records[first:following]))
    assert [events_of(player) for player in CAST] == [10, 10, 10]
    for turn, player in enumerate(CAST):
        standing = score_of(player)
        assert standing is not None
        assert standing[0] == sum(offset % 7 for offset in range(turn, 30, 3))


@every_consumer
def test_a_chunk_below_the_position_is_done_though_its_row_is_pruned(
    name: Consumer, cache: redis.Redis
) -> None:
    carried = chunk(points_of_the_cast(5))
    apply_chunk(CONSUMERS[name], carried)
    ConsumerPosition.objects.create(
        consumer=name.value, topic_id=carried.topic_id, partition=0, next_offset=5
    )
    AppliedChunk.objects.all().delete()
    before = totals()
    assert apply_chunk(CONSUMERS[name], carried).redelivered
    assert totals() == before


@every_consumer
def test_the_same_offsets_of_a_recreated_topic_are_other_events(
    name: Consumer, cache: redis.Redis
) -> None:
    apply_chunk(CONSUMERS[name], chunk([record(0, number=1)]))
    outcome = apply_chunk(CONSUMERS[name], chunk([record(0, number=2)], topic_id=OTHER_TOPIC_ID))
    assert outcome.applied == 1


def test_an_event_without_a_score_on_any_board_leaves_no_entry(cache: redis.Redis) -> None:
    outcome = apply_chunk(
        CONSUMERS[Consumer.LEADERBOARDS],
        chunk([record(0, event_type="login", data="{}"), record(1, data='{"score": null}')]),
    )
    assert (outcome.applied, outcome.dead) == (2, 0)
    assert totals().entries == frozenset()
