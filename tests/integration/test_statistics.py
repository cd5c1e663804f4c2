"""Days, sessions and totals of games: counted once, whatever comes twice or late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import msgspec
import pytest
import redis
from django.db import connection

from apps.contract.chunk import Record
from apps.contract.queues import Consumer
from apps.ledger.services import apply_chunk
from apps.reconcile.game_totals import GameTotalsProjection
from apps.reconcile.statistics import StatisticsProjection
from apps.stats.models import GameStatisticsDaily, PlayerStatistics, PlayerStatisticsDaily
from tests.builders import GAME, NOW, chunk, record
from tests.totals import CONSUMERS, games, totals

pytestmark = pytest.mark.django_db
MIDNIGHT = NOW.replace(hour=0)
TODAY, YESTERDAY = MIDNIGHT.date(), (MIDNIGHT - timedelta(days=1)).date()


def happening(
    offset: int, *, at: datetime = NOW, session: str | None = None, player_id: str = "ada"
) -> Record:
    made = record(offset, player_id=player_id, at=at)
    return msgspec.structs.replace(made, session_id=session)


def apply(*records: Record, consumers: tuple[Consumer, ...] = (Consumer.STATS,)) -> None:
    for name in consumers:
        apply_chunk(CONSUMERS[name], chunk(list(records)))


def days() -> list[tuple[str, date, int, int]]:
    rows = PlayerStatisticsDaily.objects.order_by("player_id", "day")
    return list(rows.values_list("player_id", "day", "total_events", "sessions"))


def sessions_of(player_id: str) -> int:
    return PlayerStatistics.objects.get(player_id=player_id).sessions


def test_the_last_instant_of_a_day_is_not_the_next_ones(cache: redis.Redis) -> None:
    apply(happening(0, at=MIDNIGHT - timedelta(microseconds=1)), happening(1, at=MIDNIGHT))
    assert days() == [("ada", YESTERDAY, 1, 0), ("ada", TODAY, 1, 0)]


def test_a_session_across_midnight_counts_on_both_days_and_once_in_all(cache: redis.Redis) -> None:
    late = MIDNIGHT - timedelta(minutes=1)
    apply(happening(0, at=late, session="s"), happening(1, session="s"))
    apply(happening(2, session="s"), happening(3, at=late, session="t"))
    assert days() == [("ada", YESTERDAY, 2, 2), ("ada", TODAY, 2, 1)]
    assert sessions_of("ada") == 2


def test_the_same_session_id_of_two_players_is_two_sessions(cache: redis.Redis) -> None:
    apply(happening(0, session="s"), happening(1, session="s", player_id="bo"))
    assert (sessions_of("ada"), sessions_of("bo")) == (1, 1)


def test_a_game_counts_its_events_and_each_active_player_once(cache: redis.Redis) -> None:
    apply(happening(0), happening(1), happening(2, player_id="bo"))
    apply(happening(3, player_id="bo"), happening(4, at=MIDNIGHT - timedelta(hours=1)))
    assert sorted(games(), key=str) == sorted(
        [(GAME, None, 5, 2), (GAME, TODAY, 4, 2), (GAME, YESTERDAY, 1, 1)], key=str
    )


def test_what_was_applied_before_changes_nothing_in_another_cut(cache: redis.Redis) -> None:
    records = [happening(number, session=str(number % 3)) for number in range(10)]
    apply(*records)
    before = totals()
    apply(*[msgspec.structs.replace(old, offset=old.offset + 10) for old in records[3:8]])
    assert totals() == before


def lose_a_day() -> None:
    PlayerStatisticsDaily.objects.filter(player_id="ada", day=TODAY).delete()


def change_sessions() -> None:
    PlayerStatisticsDaily.objects.filter(player_id="ada", day=TODAY).update(sessions=7)


def lose_a_claim() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM player_sessions WHERE player_id = 'ada' AND day > '1970-01-01'")


def invent_a_claim() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO player_sessions VALUES ('chess', 'ada', 'x', '-infinity')")


@pytest.mark.parametrize("damage", [lose_a_day, change_sessions, lose_a_claim, invent_a_claim])
def test_a_damaged_day_or_session_is_named_and_recomputed(
    damage: Callable[[], None], cache: redis.Redis
) -> None:
    records = [
        happening(
            n, at=NOW - timedelta(hours=7 * n), session=str(n % 4), player_id=("ada", "bo")[n % 2]
        )
        for n in range(20)
    ]
    apply(*records, consumers=(Consumer.LOGGING, Consumer.STATS))
    before = totals()
    projection = StatisticsProjection()
    assert projection.differing(GAME, None) == []
    damage()
    assert {found.player_id for found in projection.differing(GAME, None)} == {"ada"}
    projection.rebuild(GAME, ["ada"])
    assert projection.differing(GAME, None) == []
    assert totals() == before


def test_damaged_totals_of_a_game_are_named_and_added_up_again(cache: redis.Redis) -> None:
    apply(happening(0), happening(1, player_id="bo"), happening(2, at=MIDNIGHT - timedelta(1)))
    before = totals()
    projection = GameTotalsProjection()
    assert projection.differing(GAME, None) == []
    GameStatisticsDaily.objects.filter(day=TODAY).update(active_players=9)
    (found,) = projection.differing(GAME, None)
    assert (found.where, found.found) == (f"{GAME} on {TODAY}", "2 events of 9 players")
    projection.rebuild(GAME, [found.player_id])
    assert totals() == before
