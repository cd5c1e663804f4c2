"""What a chunk asks of PostgreSQL: few statements, planned once, and a row that is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
import redis
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter
from apps.ledger.models import AppliedChunk
from apps.ledger.services import apply_chunk
from apps.stats.cache import Statistics, held, put
from tests.builders import GAME, NOW, chunk, points_of_the_cast, record
from tests.copies import copy_of, read_before
from tests.totals import CONSUMERS, events_of
from tests.waiting import while_uncommitted

pytestmark = pytest.mark.django_db(transaction=True)
BOARDS = CONSUMERS[Consumer.LEADERBOARDS]
STATS = CONSUMERS[Consumer.STATS]
LOG = CONSUMERS[Consumer.LOGGING]
# As large as versions are: Lua has doubles, which must tell it from the next.
FROM_A_CLOCK = (5 << 42) + 1_782_000_000_000


@contextmanager
def statements(of: list[str]) -> Iterator[None]:
    """Adds the names of the prepared statements that run, and PREPARE for each that is planned."""
    with CaptureQueriesContext(connection) as captured:
        yield
    for query in captured.captured_queries:
        # Locks and settings may go before the statement, on the same way to the server.
        for word, name in re.findall(r"^(?:SELECT [^;]+; )?(PREPARE|EXECUTE) (\w+)", query["sql"]):
            of.append(name if word == "EXECUTE" else word)


def counts() -> tuple[int, int, int, bool]:
    row = AppliedChunk.objects.latest("first_offset")
    return row.applied, row.duplicates, row.dead, row.cached


def test_a_chunk_without_surprises_takes_three_statements(cache: redis.Redis) -> None:
    apply_chunk(LOG, chunk(points_of_the_cast(3)))
    asked: list[str] = []
    with statements(asked):
        apply_chunk(LOG, chunk(points_of_the_cast(3, first_offset=3)))
    assert asked == ["claim_chunks", "append_events", "any_open_letter"]
    assert counts() == (3, 0, 0, True)


def test_a_chunk_with_a_cache_takes_one_more_after_the_redis_write(cache: redis.Redis) -> None:
    apply_chunk(STATS, chunk(points_of_the_cast(3)))
    asked: list[str] = []
    with statements(asked):
        apply_chunk(STATS, chunk(points_of_the_cast(3, first_offset=3)))
    assert asked == ["claim_chunks", "fold_statistics", "any_open_letter", "mark_chunk_cached"]
    assert counts() == (3, 0, 0, True)


def test_the_row_of_a_chunk_with_repeats_and_bad_events_counts_them(cache: redis.Redis) -> None:
    apply_chunk(BOARDS, chunk([record(0, number=7)]))
    again = [record(1, number=7), record(2, data='{"score": "many"}'), record(3)]
    apply_chunk(BOARDS, chunk(again))
    assert counts() == (1, 1, 1, True)


def test_a_chunk_of_a_cached_consumer_that_changes_no_copy_is_done_at_its_commit(
    cache: redis.Redis,
) -> None:
    asked: list[str] = []
    with statements(asked):
        apply_chunk(BOARDS, chunk([record(0, event_type="login", data="{}")]))
    assert "mark_chunk_cached" not in asked
    assert counts() == (1, 0, 0, True)


def test_a_new_connection_plans_anew_and_a_rollback_forgets_no_plan(cache: redis.Redis) -> None:
    connection.close()
    asked: list[str] = []
    with statements(asked), transaction.atomic():
        apply_chunk(LOG, chunk(points_of_the_cast(3)))
        transaction.set_rollback(True)
    assert asked.count("PREPARE") == 3
    asked.clear()
    with statements(asked):
        apply_chunk(LOG, chunk(points_of_the_cast(3)))
    assert "PREPARE" not in asked
    assert counts() == (3, 0, 0, True)


def test_a_statement_outlives_a_change_of_its_table(cache: redis.Redis) -> None:
    apply_chunk(STATS, chunk(points_of_the_cast(3)))
    parameters = connection.get_connection_params()
    with closing(
        psycopg2.connect(
            **{name: parameters[name] for name in ("host", "port", "dbname", "user", "password")}
        )
    ) as other:
        other.autocommit = True
        with other.cursor() as cursor:
            cursor.execute("ALTER TABLE player_statistics ADD COLUMN extra integer")
            try:
                apply_chunk(STATS, chunk(points_of_the_cast(3, first_offset=3)))
            finally:
                cursor.execute("ALTER TABLE player_statistics DROP COLUMN extra")
    apply_chunk(STATS, chunk(points_of_the_cast(3, first_offset=6)))
    assert events_of("ada") == 3


def test_more_copies_than_one_call_takes_are_all_written_and_none_goes_back(
    cache: redis.Redis,
) -> None:
    def copies(version: int) -> list[Statistics]:
        return [
            Statistics(
                version=version,
                player_id=f"player-{number} å",
                game_id=GAME,
                total_events=version,
                events={"login": version},
                first_event_at=NOW,
                last_event_at=NOW,
            )
            for number in range(2001)
        ]

    put([])
    newer = FROM_A_CLOCK + 1
    names = [f"player-{number} å" for number in range(2001)]
    put(copies(newer))
    assert held([(name, GAME) for name in names]) == []
    read_before(GAME, names)
    assert held([(name, GAME) for name in [*names, "bo"]]) == [(name, GAME) for name in names]
    put(copies(newer))
    put(copies(FROM_A_CLOCK))
    assert [copy_of(GAME, name) for name in names] == copies(newer)


def test_a_letter_that_is_committed_while_its_event_waits_elsewhere_is_closed(
    cache: redis.Redis,
) -> None:
    """Whether a letter is open must be asked after the events are claimed, not before."""
    bad = chunk([record(0, number=7, data='{"score": "many"}')])
    good = chunk([record(5, number=7)])
    outcome = while_uncommitted(lambda: apply_chunk(BOARDS, bad), lambda: apply_chunk(BOARDS, good))
    assert outcome.applied == 1
    letter = DeadLetter.objects.get()
    assert (letter.state, letter.closed_by) == ("applied", "repeat")
