"""A server that is away, or a deploy that is wrong, never fills the dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest
import redis
from django.db import connection

from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter
from apps.ledger.breaker import Line
from apps.ledger.cache import CacheUnavailable
from apps.ledger.failures import Failure, classify
from apps.ledger.models import AppliedChunk
from apps.ledger.persistence import Delivery, GivenUp, persist
from apps.ledger.services import Applied, ChunkConsumer, Outcome, apply_chunk
from tests.builders import CAST, GAME, chunk, points_of_the_cast
from tests.copies import counted, read_before
from tests.totals import CONSUMERS, done, events_of, totals

pytestmark = pytest.mark.django_db(transaction=True)
CHUNK = chunk(points_of_the_cast(30))


@dataclass
class Troubled:
    """The stats consumer, whose first tries meet the given troubles, inside the transaction."""

    troubles: Iterator[Any]
    name: Consumer = Consumer.STATS
    real: ChunkConsumer = field(default_factory=lambda: CONSUMERS[Consumer.STATS])

    def apply(self, records: str) -> Applied:
        applied = self.real.apply(records)
        trouble = next(self.troubles, None)
        if trouble is not None:
            trouble()
        return applied

    def refresh(self, changes: list[Any]) -> None:
        self.real.refresh(changes)

    def changes_of(self, records: str) -> list[Any]:
        return self.real.changes_of(records)


@dataclass
class Forgetful(Troubled):
    """Its first writes to Redis meet the troubles instead."""

    def apply(self, records: str) -> Applied:
        return self.real.apply(records)

    def refresh(self, changes: list[Any]) -> None:
        trouble = next(self.troubles, None)
        if trouble is not None:
            trouble()
        self.real.refresh(changes)


@dataclass
class Patience:
    """Tells a consumer to stop after so many tries; counts them."""

    tries: int
    beats: int = 0

    def beat(self) -> None:
        self.beats += 1

    def over(self) -> bool:
        return self.beats >= self.tries


def held(consumer: ChunkConsumer, patience: Patience) -> Outcome:
    return persist(
        Delivery(
            consumer=consumer,
            chunk=CHUNK,
            line=Line(),
            stopping=patience.over,
            beat=patience.beat,
        )
    )


def terminate_our_backend() -> None:
    """What a PostgreSQL that restarts does to us: SQLSTATE 57P01."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    parameters = connection.get_connection_params()
    with closing(psycopg2.connect(**parameters)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def break_the_socket() -> None:
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def ask_for_a_missing_column() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT missing FROM events")


def meet_a_bug() -> None:
    raise KeyError("nobody thought of this")


def lose_redis() -> None:
    raise CacheUnavailable("Redis: connection refused")


@pytest.mark.parametrize("outage", [terminate_our_backend, break_the_socket])
def test_a_lost_connection_is_waited_out(outage: Any, cache: redis.Redis) -> None:
    patience = Patience(tries=10)
    consumer = Troubled(iter([outage, outage]))
    outcome = held(consumer, patience)
    assert (outcome.applied, outcome.dead, patience.beats) == (30, 0, 3)
    assert not DeadLetter.objects.exists()
    assert events_of("ada") == 10


def test_a_redis_that_is_away_after_the_commit_is_waited_out(cache: redis.Redis) -> None:
    patience = Patience(tries=10)
    consumer = Forgetful(iter([lose_redis]))
    read_before(GAME, CAST)
    outcome = held(consumer, patience)
    assert outcome.redelivered
    assert events_of("ada") == 10
    assert counted(GAME, CAST) == [10, 10, 10]


def test_a_statement_that_takes_too_long_is_an_outage(cache: redis.Redis) -> None:
    def take_too_long() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(1)")

    patience = Patience(tries=10)
    held(Troubled(iter([take_too_long])), patience)
    assert not DeadLetter.objects.exists()
    assert events_of("bo") == 10


@pytest.mark.parametrize("fault", [ask_for_a_missing_column, meet_a_bug])
def test_a_deploy_fault_commits_nothing_and_dead_letters_nothing(
    fault: Any, cache: redis.Redis
) -> None:
    before = totals()
    with pytest.raises(Exception) as caught:  # noqa: PT011  of whatever type
        apply_chunk(Troubled(iter([fault])), CHUNK)
    assert classify(caught.value) is Failure.DEPLOY_FAULT
    assert totals() == before
    assert not AppliedChunk.objects.exists()


@pytest.mark.parametrize("fault", [ask_for_a_missing_column, meet_a_bug])
def test_a_mended_deploy_fault_is_applied_by_the_next_try(fault: Any, cache: redis.Redis) -> None:
    patience = Patience(tries=10)
    outcome = held(Troubled(iter([fault])), patience)
    assert outcome.applied == 30
    assert not DeadLetter.objects.exists()


def test_a_worker_that_must_stop_gives_the_chunk_up(cache: redis.Redis) -> None:
    patience = Patience(tries=1)
    consumer = Troubled(iter([terminate_our_backend]))
    with pytest.raises(GivenUp):
        held(consumer, patience)
    assert done(Consumer.STATS) == []
    assert events_are_absent()


def test_an_outage_while_halving_dead_letters_nothing(cache: redis.Redis) -> None:
    def poison() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    patience = Patience(tries=10)
    consumer = Troubled(iter([poison, poison, terminate_our_backend]))
    outcome = held(consumer, patience)
    assert (outcome.applied, outcome.dead) == (30, 0)
    assert not DeadLetter.objects.exists()


def events_are_absent() -> bool:
    return totals().statistics == frozenset()
