"""The fold of statistics: which rows it reads, and rows that come or go while it runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
import redis
from django.db import connection, transaction

from apps.contract.chunk import encode_records
from apps.contract.queues import Consumer
from apps.ledger.services import apply_chunk
from apps.stats.fold import FOLD
from apps.stats.models import PlayerStatistics, PlayerStatisticsDaily
from tests.builders import GAME, chunk, record
from tests.totals import CONSUMERS, events_of, games

pytestmark = pytest.mark.django_db(transaction=True)
STATS: Final = CONSUMERS[Consumer.STATS]
TABLES: Final = ("player_statistics", "player_statistics_daily")
PLAYERS: Final = 3_000
# More than the runs that are planned each by itself, after which PostgreSQL keeps a plan.
RUNS: Final = 7
_CROWD: Final = f"""
INSERT INTO player_statistics (player_id, game_id, total_events, event_breakdown, first_event_at,
                               last_event_at, sessions, version)
SELECT 'player-' || n, '{GAME}', 1, '{{}}', now(), now(), 0, 0
  FROM generate_series(1, {PLAYERS}) AS n;
INSERT INTO player_statistics_daily (player_id, game_id, day, total_events, event_breakdown,
                                     first_event_at, last_event_at, sessions)
SELECT 'player-' || n, '{GAME}', day, 1, '{{}}', now(), now(), 0
  FROM generate_series(1, {PLAYERS}) AS n, generate_series(date '2020-01-01', '2020-01-03', '1 day')
       AS day
"""


def fold(*players: str, first: int) -> None:
    records = [
        record(first + number, player_id=player_id) for number, player_id in enumerate(players)
    ]
    apply_chunk(STATS, chunk(records))


def read(node: dict[str, Any], table: str) -> int:
    """Rows that were read of the table, but for those that an INSERT met. It must be by index."""
    own = 0
    if node.get("Relation Name") == table and node["Node Type"] != "ModifyTable":
        assert node["Node Type"] == "Index Scan"
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return own + sum(read(child, table) for child in node.get("Plans", []))


def test_a_fold_that_was_planned_on_empty_tables_reads_the_rows_of_its_players_alone(
    cache: redis.Redis,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)}")
        cursor.execute(f"ANALYZE {', '.join(TABLES)}")
        for number in range(RUNS):
            with transaction.atomic():
                fold("ada", first=number)
                transaction.set_rollback(True)
        cursor.execute(_CROWD)
        records = [record(number, player_id=f"player-{number}") for number in range(1, 11)]
        with transaction.atomic():
            cursor.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {FOLD.name}(%s)",
                [encode_records(records)],
            )
            ((found,),) = cursor.fetchall()
        cursor.execute(
            "SELECT generic_plans FROM pg_prepared_statements WHERE name = %s", [FOLD.name]
        )
        assert cursor.fetchone()[0] > 0
    top = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    assert read(top, "player_statistics") == 10
    # Of this day there is no row yet; those of other days are not looked at.
    assert read(top, "player_statistics_daily") == 0


def _while_it_waits(change: Callable[[], None], player_id: str) -> None:
    """Fold an event of the player while `change` is made and not committed."""
    changed, at_hand = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                change()
                changed.set()
                assert at_hand.wait(30)
        finally:
            connection.close()

    def work() -> None:
        try:
            fold(player_id, first=100)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(hold)
        assert changed.wait(30)
        folded = pool.submit(work)
        _until_one_waits()
        at_hand.set()
        holder.result(30)
        folded.result(30)


def _until_one_waits() -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    with connection.cursor() as cursor:
        for _ in range(30_000):
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")


def _events(player_id: str) -> tuple[int, int]:
    """Of the player in all, and on all days."""
    days = PlayerStatisticsDaily.objects.filter(player_id=player_id)
    return events_of(player_id), sum(days.values_list("total_events", flat=True))


def test_a_player_that_another_fold_brings_meanwhile_is_added_to(cache: redis.Redis) -> None:
    _while_it_waits(lambda: fold("ada", "ada", first=0), "ada")
    assert _events("ada") == (3, 3)
    assert {(events, players) for _, _, events, players in games()} == {(3, 1)}


def test_a_player_that_another_fold_adds_to_meanwhile_is_added_to(cache: redis.Redis) -> None:
    fold("ada", first=50)
    _while_it_waits(lambda: fold("ada", "ada", first=0), "ada")
    assert _events("ada") == (4, 4)
    assert {(events, players) for _, _, events, players in games()} == {(4, 1)}


def test_a_player_that_goes_meanwhile_comes_again(cache: redis.Redis) -> None:
    fold("ada", first=50)
    _while_it_waits(lambda: _forget("ada"), "ada")
    assert _events("ada") == (1, 1)


def _forget(player_id: str) -> None:
    PlayerStatistics.objects.filter(player_id=player_id).delete()
    PlayerStatisticsDaily.objects.filter(player_id=player_id).delete()


def test_a_breakdown_takes_one_type_or_several(cache: redis.Redis) -> None:
    def types(*names: str, first: int) -> None:
        events = [
            record(first + number, event_type=name, data="{}") for number, name in enumerate(names)
        ]
        apply_chunk(STATS, chunk(events))

    types("login", first=0)
    types("login", "login", first=10)
    types("logout", first=20)
    types("login", "buy", first=30)
    row, day = PlayerStatistics.objects.get(), PlayerStatisticsDaily.objects.get()
    assert row.event_breakdown == day.event_breakdown == {"login": 4, "logout": 1, "buy": 1}
    assert row.total_events == day.total_events == 6
