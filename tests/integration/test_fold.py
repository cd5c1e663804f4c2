"""The fold of statistics: which rows it reads, and rows that come or go while it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
import redis
from django.db import connection, transaction

from apps.contract.chunk import encode_records
from apps.contract.queues import Consumer
from apps.ledger.services import apply_chunk
from apps.stats.fold import FOLD
from apps.stats.models import PlayerStatistics, PlayerStatisticsDaily
from tests.builders import GAME, NOW, chunk, record
from tests.plans import explained, rows_compared, rows_read, scans
from tests.totals import CONSUMERS, events_of, games
from tests.waiting import while_uncommitted

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
            plan = explained(cursor, f"EXECUTE {FOLD.name}(%s)", [encode_records(records)])["Plan"]
        cursor.execute(
            "SELECT generic_plans FROM pg_prepared_statements WHERE name = %s", [FOLD.name]
        )
        assert cursor.fetchone()[0] > 0
    assert {node["Node Type"] for table in TABLES for node in scans(plan, table)} == {"Index Scan"}
    assert rows_read(plan, "player_statistics") == 10
    # Of this day there is no row yet; those of other days are not looked at.
    assert rows_read(plan, "player_statistics_daily") == 0


@pytest.mark.parametrize("days", [1, 2])
def test_new_players_are_not_compared_with_one_another(cache: redis.Redis, days: int) -> None:
    """A join of the new with all in nested loops: 2 s for a chunk of 4,000 players."""
    fold("ada", first=0)  # prepares the statement
    crowd = [
        record(
            1 + number, player_id=f"new-{number // days}", at=NOW - timedelta(days=number % days)
        )
        for number in range(600)
    ]
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        plan = explained(cursor, f"EXECUTE {FOLD.name}(%s)", [encode_records(crowd)])["Plan"]
    assert rows_compared(plan) < len(crowd)
    assert PlayerStatistics.objects.count() == 1 + 600 // days


def _events(player_id: str) -> tuple[int, int]:
    """Of the player in all, and on all days."""
    days = PlayerStatisticsDaily.objects.filter(player_id=player_id)
    return events_of(player_id), sum(days.values_list("total_events", flat=True))


def test_a_player_that_another_fold_brings_meanwhile_is_added_to(cache: redis.Redis) -> None:
    while_uncommitted(lambda: fold("ada", "ada", first=0), lambda: fold("ada", first=100))
    assert _events("ada") == (3, 3)
    assert {(events, players) for _, _, events, players in games()} == {(3, 1)}


def test_a_player_that_another_fold_adds_to_meanwhile_is_added_to(cache: redis.Redis) -> None:
    fold("ada", first=50)
    while_uncommitted(lambda: fold("ada", "ada", first=0), lambda: fold("ada", first=100))
    assert _events("ada") == (4, 4)
    assert {(events, players) for _, _, events, players in games()} == {(4, 1)}


def test_a_player_that_goes_meanwhile_comes_again(cache: redis.Redis) -> None:
    fold("ada", first=50)
    while_uncommitted(lambda: _forget("ada"), lambda: fold("ada", first=100))
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


def test_players_of_one_day_and_of_several_have_one_total_each(cache: redis.Redis) -> None:
    before = NOW - timedelta(days=1)
    happened = [
        ("ada", "login", NOW),
        ("bob", "login", before),
        ("bob", "buy", NOW),
        ("bob", "login", NOW),
        ("cyd", "login", before),
    ]
    for first in (0, 10):  # inserted, then added to
        apply_chunk(
            STATS,
            chunk(
                [
                    record(first + number, player_id=player, event_type=name, data="{}", at=at)
                    for number, (player, name, at) in enumerate(happened)
                ]
            ),
        )
    found = {row.player_id: row for row in PlayerStatistics.objects.all()}
    assert {player: row.event_breakdown for player, row in found.items()} == {
        "ada": {"login": 2},
        "bob": {"login": 4, "buy": 2},
        "cyd": {"login": 2},
    }
    spans = {player: (row.first_event_at, row.last_event_at) for player, row in found.items()}
    assert spans == {"ada": (NOW, NOW), "bob": (before, NOW), "cyd": (before, before)}
    days = PlayerStatisticsDaily.objects.order_by("player_id", "day")
    assert list(days.values_list("player_id", "total_events")) == [
        *(("ada", 2), ("bob", 2), ("bob", 4), ("cyd", 2))
    ]
