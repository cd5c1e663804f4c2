"""What was damaged by hand is named by event id and repaired; the second run is clean."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import redis
from django.db import connection

from apps.contract.queues import Consumer
from apps.deadletters import services as dead_letters
from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.leaderboards import rank_index
from apps.leaderboards.models import Entry, LeaderboardsAppliedEvent
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.reconcile.findings import Kind, Part, Scope
from apps.reconcile.report import Report
from apps.reconcile.services import AnotherReconcile
from apps.stats import cache as copies
from apps.stats import selectors as statistics
from apps.stats.models import PlayerStatistics, StatsAppliedEvent
from tests.builders import GAME, chunk, event_id, event_text, record
from tests.copies import copy_of
from tests.kafka_clients import client_of
from tests.reconciling import World, scored
from tests.totals import top, totals

pytestmark = pytest.mark.django_db(transaction=True)
SCOPE = BoardPeriod(game_id=GAME, board="default", period=Period.ALLTIME, period_start=EPOCH)
COUNT = 30


@pytest.fixture
def world(kafka: str, cache: redis.Redis) -> World:
    """Thirty events of the cast, applied by all three consumers; the board is complete."""
    world = World.new(client_of(kafka))
    world.publish(scored(range(COUNT)))
    world.apply()
    top(SCOPE, 1)
    return world


def test_a_consistent_state_has_no_finding(world: World) -> None:
    told = world.reconcile()
    assert told.findings == ()
    assert told.report.exit_code == 0


def test_a_deleted_row_of_the_log_is_named_and_applied_again(world: World) -> None:
    before = totals()
    Event.objects.filter(pk=event_id(7)).delete()
    told = world.reconcile()
    assert told.ids(Kind.NOT_IN_LOG) == [event_id(7)]
    assert told.report.exit_code == 1
    told = world.reconcile(repair=True)
    assert told.ids(Kind.NOT_IN_LOG) == [event_id(7)]
    assert told.report.exit_code == 0
    assert totals() == before
    assert world.is_clean()


def test_without_repair_nothing_is_written(world: World) -> None:
    Event.objects.filter(pk=event_id(7)).delete()
    StatsAppliedEvent.objects.filter(pk=event_id(8)).delete()
    before = totals()
    world.reconcile()
    assert totals() == before
    assert StatsAppliedEvent.objects.count() == COUNT - 1


@pytest.mark.parametrize(
    ("ledger", "consumer"),
    [(StatsAppliedEvent, "stats"), (LeaderboardsAppliedEvent, "leaderboards")],
)
def test_a_deleted_claim_is_made_again_and_its_effect_is_not_doubled(
    world: World, ledger: Any, consumer: str
) -> None:
    before = totals()
    ledger.objects.filter(pk=event_id(9)).delete()
    told = world.reconcile(repair=True)
    assert told.ids(Kind.NOT_APPLIED, consumer) == [event_id(9)]
    assert ledger.objects.count() == COUNT
    assert totals() == before
    assert world.is_clean()


def test_what_a_consumer_never_applied_is_applied_from_the_log(
    kafka: str, cache: redis.Redis
) -> None:
    world = World.new(client_of(kafka))
    world.publish(scored(range(COUNT)))
    world.apply(Consumer.LOGGING)
    told = world.reconcile(repair=True)
    assert len(told.of(Kind.NOT_APPLIED)) == 2 * COUNT
    repaired = totals()
    world.apply()
    assert totals() == repaired
    assert sum(row.total_events for row in PlayerStatistics.objects.all()) == COUNT
    assert world.is_clean()


def delete_statistics() -> None:
    PlayerStatistics.objects.filter(player_id="bo").delete()


def change_statistics() -> None:
    PlayerStatistics.objects.filter(player_id="bo").update(total_events=999)


def invent_statistics() -> None:
    row = PlayerStatistics.objects.get(player_id="bo")
    row.pk, row.player_id = None, "dan"
    row.save(force_insert=True)


@pytest.mark.parametrize(
    ("damage", "player_id"),
    [(delete_statistics, "bo"), (change_statistics, "bo"), (invent_statistics, "dan")],
)
def test_damaged_statistics_are_recomputed(
    world: World, damage: Callable[[], None], player_id: str
) -> None:
    before = totals()
    damage()
    statistics.of_player("bo", GAME)
    told = world.reconcile(repair=True)
    assert [found.where for found in told.of(Kind.STATISTICS_DIFFER)] == [f"{GAME}/{player_id}"]
    assert totals() == before
    read = statistics.of_player("bo", GAME)
    assert read is not None and read.total_events == COUNT // 3
    assert world.is_clean()


def delete_entries() -> None:
    Entry.objects.filter(player_id="cyd", period="daily").delete()


def change_entry() -> None:
    Entry.objects.filter(player_id="cyd", period="daily").update(score=999)


def change_time() -> None:
    Entry.objects.filter(player_id="cyd", period="daily").update(achieved_at=EPOCH)


def change_rank_key() -> None:
    Entry.objects.filter(player_id="cyd", period="daily").update(rank_key=-999)


@pytest.mark.parametrize("damage", [delete_entries, change_entry, change_time, change_rank_key])
def test_a_damaged_entry_is_recomputed(world: World, damage: Callable[[], None]) -> None:
    before = totals()
    damage()
    told = world.reconcile(repair=True)
    (found,) = told.of(Kind.ENTRY_DIFFERS)
    assert found.where.startswith(f"{GAME}/default daily") and found.where.endswith("cyd")
    assert totals() == before
    assert world.is_clean()


def test_an_entry_of_nobody_goes_from_the_rows_and_from_redis(world: World) -> None:
    before = totals()
    row = Entry.objects.get(player_id="ada", period="alltime")
    row.pk, row.player_id, row.rank_key = None, "dan", -10_000
    row.save(force_insert=True)
    rank_index.mark_incomplete(SCOPE)
    assert top(SCOPE, 1).lines[0].player_id == "dan"
    told = world.reconcile(repair=True)
    assert [found.found[:2] for found in told.of(Kind.ENTRY_DIFFERS)] == [str(row.score)]
    assert totals() == before
    assert top(SCOPE, 1).lines[0].player_id != "dan"
    assert world.is_clean()


def test_a_changed_row_of_the_log_is_replaced_by_kafkas(world: World) -> None:
    before = totals()
    Event.objects.filter(pk=event_id(4)).update(data={"score": 10_000}, event_type="cheated")
    told = world.reconcile(repair=True)
    assert told.ids(Kind.LOG_ROW_DIFFERS) == [event_id(4)]
    assert Event.objects.get(pk=event_id(4)).data == {"score": 4}
    assert totals() == before
    assert world.is_clean()


def test_repeats_in_the_topic_are_no_difference_and_repair_the_first(world: World) -> None:
    world.publish(scored(range(COUNT)))
    other = event_text(event_id=event_id(3), player_id="bo", data={"score": 99})
    world.publish([other], partition=1)
    world.apply()
    before = totals()
    assert world.is_clean()
    Event.objects.filter(pk=event_id(5)).delete()
    assert world.reconcile(repair=True).ids(Kind.NOT_IN_LOG) == [event_id(5)]
    assert totals() == before


def test_a_refused_message_without_its_dead_letter_gets_it_again(world: World) -> None:
    world.publish([b"no event", None], partition=1)
    world.apply()
    letters = totals().dead_letters
    assert len(letters) == 2
    DeadLetter.objects.filter(offset=0).delete()
    DeadLetter.objects.filter(offset=1).update(raw=b"by hand")
    told = world.reconcile(repair=True)
    assert [found.where for found in told.of(Kind.LETTER_MISSING)] == [f"{world.topic}/1/0"]
    assert [found.where for found in told.of(Kind.LETTER_DIFFERS)] == [f"{world.topic}/1/1"]
    assert totals().dead_letters == letters
    assert bytes(DeadLetter.objects.get(offset=1).raw) == b""
    assert world.is_clean()


def test_a_poison_event_without_its_dead_letter_gets_it_again(world: World) -> None:
    world.publish([event_text(event_id=event_id(77), data={"score": "a lot"})], partition=1)
    world.apply()
    before = totals()
    assert world.is_clean()
    DeadLetter.objects.all().delete()
    told = world.reconcile(repair=True)
    assert told.ids(Kind.NOT_APPLIED, "leaderboards") == [event_id(77)]
    assert totals() == before
    assert world.is_clean()


def test_what_logging_could_not_apply_is_applied_by_the_others_all_the_same(world: World) -> None:
    before = totals()
    lost = record(5, player_id="cyd", data='{"score": 5}')
    letter = dead_letters.of_event(
        Consumer.LOGGING, chunk([lost]), lost, ValueError("no room"), cause="22000"
    )
    dead_letters.store([letter])
    Event.objects.filter(pk=event_id(5)).delete()
    assert world.is_clean()
    StatsAppliedEvent.objects.filter(pk=event_id(5)).delete()
    PlayerStatistics.objects.filter(player_id="cyd").delete()
    told = world.reconcile(repair=True)
    assert told.ids(Kind.NOT_APPLIED, "stats") == [event_id(5)]
    assert totals().statistics == before.statistics
    assert totals().entries == before.entries
    assert world.is_clean()


def test_an_event_both_applied_and_open_in_the_dead_letters_is_settled(world: World) -> None:
    world.publish([event_text(event_id=event_id(77), data={"score": "a lot"})], partition=1)
    world.apply()
    DeadLetter.objects.update(event_id=event_id(6))
    LeaderboardsAppliedEvent.objects.create(event_id=event_id(77))
    before = totals().entries
    told = world.reconcile(repair=True)
    assert told.ids(Kind.APPLIED_AND_OPEN, "leaderboards") == [event_id(6)]
    assert DeadLetter.objects.get(event_id=event_id(6)).state == "applied"
    assert totals().entries == before


def test_a_claim_of_an_event_that_is_nowhere_is_named_and_no_total_is_recomputed(
    world: World,
) -> None:
    StatsAppliedEvent.objects.create(event_id=event_id(999))
    PlayerStatistics.objects.filter(player_id="ada").update(total_events=11)
    told = world.reconcile(repair=True)
    assert told.ids(Kind.APPLIED_UNKNOWN, "stats") == [event_id(999)]
    assert [found.repaired for found in told.of(Kind.STATISTICS_DIFFER)] == [False]
    assert PlayerStatistics.objects.get(player_id="ada").total_events == 11
    assert told.report.exit_code == 1


def test_a_stale_copy_of_statistics_is_forgotten(world: World, cache: redis.Redis) -> None:
    key = copies.key(GAME, "ada")
    held = statistics.of_player("ada", GAME)
    assert held is not None
    for stale in (
        b'{"version":%d,"player_id":"ada","game_id":"chess","total_events":1,"events":{},'
        b'"first_event_at":"2026-11-20T11:00:00Z","last_event_at":"2026-11-20T11:00:00Z"}'
        % (held.version + 100_000),
        b"no statistics",
    ):
        cache.set(key, stale)
        told = world.reconcile(repair=True)
        assert [found.where for found in told.of(Kind.COPY_DIFFERS)] == [key]
        assert cache.get(key) is None
        read = statistics.of_player("ada", GAME)
        assert read is not None and read.total_events == COUNT // 3
        assert copy_of(GAME, "ada") == read
        assert world.is_clean()


def test_a_reader_s_token_is_no_difference(world: World, cache: redis.Redis) -> None:
    cache.set(copies.key(GAME, "ada"), copies.token())
    assert world.is_clean()


def test_a_missing_copy_is_no_difference(world: World, cache: redis.Redis) -> None:
    cache.flushdb()
    assert world.is_clean()


def lose_a_member(cache: redis.Redis, rank: str, players: str) -> None:
    member = cache.hget(players, "bo")
    assert isinstance(member, bytes)
    cache.hdel(players, "bo")
    cache.zrem(rank, member.split(b" ", 1)[1])


def move_a_member(cache: redis.Redis, rank: str, players: str) -> None:
    member = cache.hget(players, "bo")
    assert isinstance(member, bytes)
    cache.zadd(rank, {member.split(b" ", 1)[1]: -5_000})


def add_a_stranger(cache: redis.Redis, rank: str, players: str) -> None:
    cache.zadd(rank, {"m000000000000000000eve": -1})
    cache.hset(players, "eve", "1 m000000000000000000eve")


@pytest.mark.parametrize("damage", [lose_a_member, move_a_member, add_a_stranger])
def test_a_complete_board_that_is_not_the_entries_is_built_anew(
    world: World, cache: redis.Redis, damage: Callable[[redis.Redis, str, str], None]
) -> None:
    right = top(SCOPE, 10)
    rank, players, _, _ = SCOPE.keys()
    damage(cache, rank, players)
    assert top(SCOPE, 10) != right
    told = world.reconcile(repair=True)
    assert len(told.of(Kind.COPY_DIFFERS)) == 1
    assert top(SCOPE, 10) == right
    assert world.is_clean()


def test_one_game_or_player_or_part_is_compared_alone(world: World) -> None:
    Event.objects.filter(pk=event_id(3)).delete()  # ada's
    assert world.reconcile(scope=Scope(player_id="bo"), parts=[Part.KAFKA]).findings == ()
    assert world.reconcile(scope=Scope(game_id="go"), parts=[Part.KAFKA]).findings == ()
    assert world.reconcile(parts=[Part.REDIS]).findings == ()
    told = world.reconcile(scope=Scope(player_id="ada", game_id=GAME), parts=[Part.KAFKA])
    assert told.ids(Kind.NOT_IN_LOG) == [event_id(3)]


def test_what_is_still_to_be_applied_is_no_difference(world: World) -> None:
    world.publish(scored(range(100, 110)))
    told = world.reconcile(parts=[Part.KAFKA, Part.STATISTICS, Part.BOARDS])
    assert told.findings == ()


def test_two_runs_at_once_are_refused(world: World) -> None:
    with closing(psycopg2.connect(**connection.get_connection_params())) as other:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(7002)")
        with pytest.raises(AnotherReconcile):
            world.reconcile()
    until = time.monotonic() + 10
    while True:  # the other's session ends a moment after it was closed
        try:
            assert world.is_clean()
            return
        except AnotherReconcile:
            assert time.monotonic() < until


def test_a_consumer_that_never_stands_still_is_told_and_not_waited_for(world: World) -> None:
    PlayerStatistics.objects.filter(player_id="bo").update(total_events=999)
    with closing(psycopg2.connect(**connection.get_connection_params())) as busy:
        with busy.cursor() as cursor:
            cursor.execute("SELECT 1 FROM player_statistics FOR UPDATE")
            cursor.execute("LOCK TABLE player_statistics IN ROW EXCLUSIVE MODE")
        report = Report(0)
        world.run(report, parts=[Part.STATISTICS])
    assert "too busy to stand still" in report.unavailable[Part.STATISTICS]
    assert report.exit_code == 2


def test_connections_end_with_the_run(world: World) -> None:
    world.reconcile()
    assert connection.connection is None
