"""Two workers on the same events at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import redis
from django.db import connection

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter
from apps.leaderboards.declaration import declare
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.ledger.breaker import Line
from apps.ledger.models import ConsumerPosition
from apps.ledger.persistence import Delivery, persist
from apps.ledger.services import Outcome
from tests.builders import CAST, GAME, TOPIC_ID, board, chunk, points_of_the_cast, record
from tests.totals import CONSUMERS, events_of, score_of, top, top_from_rows, totals

pytestmark = pytest.mark.django_db(transaction=True)
every_consumer = pytest.mark.parametrize("name", list(Consumer))
WORKERS = 4


def at_once(jobs: Sequence[Callable[[], Outcome | bool]]) -> list[Outcome | bool]:
    """Run the jobs in threads that begin together."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], Outcome | bool]) -> Outcome | bool:
        gate.wait(30)
        try:
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def job(name: Consumer, chunks: Sequence[Chunk]) -> Callable[[], Outcome]:
    """A worker that takes the chunks one by one."""

    def work() -> Outcome:
        outcomes = [
            persist(
                Delivery(
                    consumer=CONSUMERS[name],
                    chunk=carried,
                    line=Line(),
                    stopping=lambda: False,
                    beat=lambda: None,
                )
            )
            for carried in chunks
        ]
        return Outcome(
            applied=sum(outcome.applied for outcome in outcomes),
            duplicates=sum(outcome.duplicates for outcome in outcomes),
            dead=sum(outcome.dead for outcome in outcomes),
        )

    return work


def applied_by(outcomes: Sequence[Outcome | bool]) -> int:
    return sum(outcome.applied for outcome in outcomes if isinstance(outcome, Outcome))


def shuffled_cuts(count: int) -> list[list[Chunk]]:
    """The same events, cut otherwise by each worker and taken from another side."""
    records = points_of_the_cast(count)
    cuts = []
    for worker in range(WORKERS):
        size = 7 + 4 * worker
        chunks = [chunk(records[first : first + size]) for first in range(0, count, size)]
        cuts.append(chunks[::-1] if worker % 2 else chunks)
    return cuts


@every_consumer
def test_the_same_chunk_taken_by_all_workers_is_applied_once(
    name: Consumer, cache: redis.Redis
) -> None:
    chunks = [chunk(points_of_the_cast(60)[first : first + 20]) for first in (0, 20, 40)]
    outcomes = at_once([job(name, chunks)] * WORKERS)
    assert applied_by(outcomes) == 60
    once = totals()
    at_once([job(name, chunks)] * 2)
    assert totals() == once


@every_consumer
def test_overlapping_chunks_taken_at_once_leave_exact_totals(
    name: Consumer, cache: redis.Redis
) -> None:
    outcomes = at_once([job(name, chunks) for chunks in shuffled_cuts(120)])
    assert applied_by(outcomes) == 120
    assert not DeadLetter.objects.exists()


def test_statistics_and_scores_are_exact_after_the_crowd(cache: redis.Redis) -> None:
    for name in (Consumer.STATS, Consumer.LEADERBOARDS):
        at_once([job(name, chunks) for chunks in shuffled_cuts(120)])
    for turn, player_id in enumerate(CAST):
        assert events_of(player_id) == 40
        standing = score_of(player_id)
        assert standing is not None
        assert standing[0] == Decimal(sum(offset % 7 for offset in range(turn, 120, 3)))


def test_redis_ends_where_postgresql_does(cache: redis.Redis) -> None:
    scope = BoardPeriod(game_id=GAME, board="default", period=Period.ALLTIME, period_start=EPOCH)
    assert top(scope, 10).total == 0
    at_once([job(Consumer.LEADERBOARDS, chunks) for chunks in shuffled_cuts(120)])
    assert top(scope, 10) == top_from_rows(scope, 10)


def test_a_bad_event_taken_by_all_workers_is_dead_lettered_once(cache: redis.Redis) -> None:
    records = [*points_of_the_cast(20), record(20, data='{"score": "many"}')]
    chunks = [chunk(records[first:]) for first in (0, 5, 10, 20)]
    outcomes = at_once([job(Consumer.LEADERBOARDS, [carried]) for carried in chunks])
    assert applied_by(outcomes) == 20
    assert DeadLetter.objects.count() == 1


def test_a_board_declared_amid_the_stream_counts_each_event_once(cache: redis.Redis) -> None:
    chunks = [chunk(points_of_the_cast(120)[first : first + 5]) for first in range(0, 120, 5)]
    job(Consumer.LOGGING, chunks)()
    for name in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        ConsumerPosition.objects.create(
            consumer=name.value,
            topic_id=TOPIC_ID,
            partition=0,
            next_offset=120 if name is Consumer.LOGGING else 0,
        )
    outcomes = at_once(
        [
            job(Consumer.LEADERBOARDS, chunks),
            job(Consumer.LEADERBOARDS, chunks[::-1]),
            lambda: declare(board("points")),
        ]
    )
    assert outcomes[2] is True
    for player_id in CAST:
        assert score_of(player_id, board="points") == score_of(player_id, board="default")
        assert score_of(player_id) is not None
