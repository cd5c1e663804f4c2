"""Statistics as they are kept, as they are rebuilt, and as plain SQL counts them: the same."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import redis
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.contract.chunk import Record
from apps.contract.queues import Consumer
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from apps.operations.steps import Silent
from apps.stats.cache import get
from apps.stats.models import StatsAppliedEvent, StatsBuild, StatsBuildEvent
from apps.stats.rebuild import rebuild
from apps.stats.selectors import of_players
from tests.builders import CAST, TOPIC_ID, chunk, record
from tests.faults import oracle_sql
from tests.totals import CONSUMERS, totals

pytestmark = pytest.mark.django_db(transaction=True)
GAMES = ("chess", "go")
BEGIN = datetime(2024, 2, 28, 21, tzinfo=UTC)
TABLES = """
TRUNCATE events, stats_applied_events, player_statistics, player_statistics_daily, player_sessions,
         game_statistics, game_statistics_daily, stats_builds, stats_build_events, applied_chunks,
         consumer_positions
"""
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


@dataclass(kw_only=True)
class Stream:
    """Chunks of events with repeats, in disorder; `due` are those that logging has not yet."""

    chance: random.Random
    offset: int = 0
    due: list[list[Record]] = field(default_factory=list)

    def apply(self, *, logged: bool = True) -> None:
        """A chunk; without `logged` the log is behind for a while."""
        records = [self._event() for _ in range(self.chance.randrange(1, 12))]
        self.due.append(records)
        if logged:
            self.log()
        apply_chunk(CONSUMERS[Consumer.STATS], chunk(records))

    def log(self) -> None:
        for records in self.due:
            apply_chunk(CONSUMERS[Consumer.LOGGING], chunk(records))
        self.due = []
        ConsumerPosition.objects.update_or_create(
            consumer=Consumer.LOGGING.value,
            topic_id=TOPIC_ID,
            partition=0,
            defaults={"next_offset": self.offset + 1},
        )

    def _event(self) -> Record:
        self.offset += 1
        # Few numbers: some come again, as they were.
        number = self.chance.randrange(80)
        fixed = random.Random(number)
        made = record(
            self.offset,
            number=number,
            player_id=fixed.choice(CAST),
            game_id=fixed.choice(GAMES),
            event_type=fixed.choice(("login", "player_score", "logout")),
            at=BEGIN + timedelta(hours=fixed.randrange(60)),
        )
        return msgspec.structs.replace(made, session_id=fixed.choice((None, "s1", "s2", "s3")))


@dataclass(kw_only=True)
class Meanwhile:
    """Shows nothing; lets events arrive, by another connection, at each step of the rebuild."""

    stream: Stream
    steps: list[str] = field(default_factory=list)

    def begin(self, title: str, total: int) -> None:
        self.steps.append(title)
        if title == "the log":
            self._elsewhere(lambda: self.stream.apply(logged=False))

    def advance(self, items: int) -> None:
        if self.steps[-1] == "the log":
            self._elsewhere(self.stream.apply)

    def end(self) -> None:
        self._elsewhere(self.stream.apply)

    def _elsewhere(self, work: Any) -> None:
        failures: list[BaseException] = []

        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
        assert failures == []


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
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
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
    held = [get(row.game_id, row.player_id) for row in rows]
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
