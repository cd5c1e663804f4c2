"""A chunk that kills its worker is split until the event that kills is alone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings
from django.db import IntegrityError, connection

from apps.contract.chunk import Chunk, decode_records, to_message
from apps.contract.queues import Consumer
from apps.contract.seal import sealed
from apps.deadletters.models import DeadLetter
from apps.ledger.breaker import Line
from apps.ledger.cache import CacheUnavailable
from apps.ledger.crashes import ATTEMPTS_OF_CHUNK, DEATHS_OF_EVENT
from apps.ledger.door import OUT_OF_MEMORY
from apps.ledger.models import AppliedChunk, ChunkAttempt, ConsumerPosition
from apps.ledger.persistence import Delivery, GivenUp, persist
from apps.ledger.services import Applied, ChunkConsumer, Outcome, apply_chunk
from bridge.inflight import FIRST_LEASE, STEADY_MESSAGES, Lease
from gamemetrics.stack.layout import PROJECT_ROOT
from tests.builders import CAST, GAME, chunk, event_id, points_of_the_cast, record, refused
from tests.copies import counted, read_before
from tests.totals import CONSUMERS, done, events_of, totals

pytestmark = pytest.mark.django_db(transaction=True)
every_consumer = pytest.mark.parametrize("name", list(Consumer))
KILLER = 4


class Died(BaseException):
    """The process is gone: nothing after it runs, its transaction is rolled back."""


@dataclass
class Mortal:
    """A consumer whose process dies whenever `deadly` says so of the records in hand."""

    deadly: Callable[[set[int]], bool]
    real: ChunkConsumer
    seen: list[set[int]] = field(default_factory=list)

    @property
    def name(self) -> Consumer:
        return self.real.name

    @name.setter
    def name(self, name: Consumer) -> None:
        raise AttributeError(name)

    def apply(self, records: str) -> Applied:
        offsets = {record.offset for record in decode_records(records)}
        self.seen.append(offsets)
        applied = self.real.apply(records)
        if self.deadly(offsets):
            raise Died
        return applied

    def refresh(self, changes: list[Any]) -> None:
        self.real.refresh(changes)

    def changes_of(self, records: str) -> list[Any]:
        return self.real.changes_of(records)


def killed_by(*offsets: int) -> Callable[[set[int]], bool]:
    return lambda in_hand: bool(in_hand & set(offsets))


def deliver(
    consumer: ChunkConsumer,
    carried: Chunk,
    *,
    sent: int = 0,
    stopping: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Hand the chunk to a process of its own."""
    return persist(
        Delivery(
            consumer=consumer,
            chunk=msgspec.structs.replace(carried, sent=sent),
            line=Line(),
            stopping=stopping,
            beat=lambda: None,
            repeated=sent > 0,
        )
    )


def until_done(consumer: ChunkConsumer, carried: Chunk, *, most: int = 50) -> tuple[Outcome, int]:
    """Send the chunk until a worker survives it; its outcome and how many died before."""
    for sent in range(most):
        try:
            return deliver(consumer, carried, sent=sent), sent
        except Died:
            connection.close()
    raise AssertionError(f"{most} workers died of it")


def letters() -> list[tuple[str, str, int]]:
    return list(
        DeadLetter.objects.order_by("offset").values_list("consumer_service", "cause", "offset")
    )


@every_consumer
def test_an_event_that_kills_its_worker_is_dead_lettered_and_all_others_are_applied(
    name: Consumer, cache: redis.Redis
) -> None:
    consumer = Mortal(killed_by(KILLER), CONSUMERS[name])
    outcome, died = until_done(consumer, chunk(points_of_the_cast(9)))
    assert (outcome.applied, outcome.duplicates, outcome.dead) == (8, 0, 1)
    assert died == ATTEMPTS_OF_CHUNK + DEATHS_OF_EVENT
    letter = DeadLetter.objects.get()
    assert (letter.consumer_service, letter.cause, letter.offset) == (name.value, "crash", KILLER)
    assert str(letter.event_id) == event_id(KILLER)
    assert done(name) == [(0, 9)]
    assert not ChunkAttempt.objects.exists()


def test_it_is_isolated_before_the_lease_begins_to_grow() -> None:
    lease, now = Lease(expires_at=0.0), 0.0
    for _ in range(ATTEMPTS_OF_CHUNK + DEATHS_OF_EVENT + 1):
        lease.renew(now)
        assert lease.seconds == FIRST_LEASE
        now = lease.expires_at
    assert lease.sent == STEADY_MESSAGES
    lease.renew(now)
    assert lease.seconds == 2 * FIRST_LEASE


def test_a_first_delivery_and_a_chunk_that_is_done_count_no_attempt(cache: redis.Redis) -> None:
    carried = chunk(points_of_the_cast(3))
    deliver(CONSUMERS[Consumer.STATS], carried)
    assert deliver(CONSUMERS[Consumer.STATS], carried, sent=1).redelivered
    ConsumerPosition.objects.create(
        consumer="stats", topic_id=carried.topic_id, partition=0, next_offset=3
    )
    AppliedChunk.objects.all().delete()
    assert deliver(CONSUMERS[Consumer.STATS], carried, sent=2).redelivered
    assert not ChunkAttempt.objects.exists()


def test_two_deaths_of_a_whole_chunk_are_not_held_against_its_events(cache: redis.Redis) -> None:
    deaths = iter([True, True, False])
    consumer = Mortal(lambda _: next(deaths), CONSUMERS[Consumer.STATS])
    outcome, _ = until_done(consumer, chunk(points_of_the_cast(9)))
    assert (outcome.applied, outcome.dead) == (9, 0)
    assert consumer.seen[-1] == set(range(9))


def test_several_killers_are_each_dead_lettered(cache: redis.Redis) -> None:
    consumer = Mortal(killed_by(0, 4, 8), CONSUMERS[Consumer.LEADERBOARDS])
    outcome, died = until_done(consumer, chunk(points_of_the_cast(9)))
    assert (outcome.applied, outcome.dead) == (6, 3)
    assert letters() == [("leaderboards", "crash", offset) for offset in (0, 4, 8)]
    assert died == ATTEMPTS_OF_CHUNK + 3 * DEATHS_OF_EVENT


def test_the_totals_beside_a_killer_are_those_of_the_others_alone(cache: redis.Redis) -> None:
    records = points_of_the_cast(30)
    read_before(GAME, CAST)
    for name, real in CONSUMERS.items():
        until_done(Mortal(killed_by(KILLER), real), chunk(records))
        assert done(name) == [(0, 30)]
    found = totals()
    everything = {event_id(offset) for offset in range(30)}
    assert {str(row[0]) for row in found.events} == everything - {event_id(KILLER)}
    assert [events_of(player) for player in CAST] == [10, 9, 10]
    assert counted(GAME, CAST) == [10, 9, 10]


def test_a_refused_message_beside_a_killer_is_stored_once(cache: redis.Redis) -> None:
    carried = chunk(points_of_the_cast(9), refused=[refused(9, b"noise")])
    outcome, _ = until_done(Mortal(killed_by(KILLER), CONSUMERS[Consumer.LOGGING]), carried)
    assert (outcome.applied, outcome.dead) == (8, 2)
    assert letters() == [("logging", "crash", KILLER), ("bridge", "invalid_json", 9)]


def test_ordinary_poison_beside_a_killer_keeps_its_own_cause(cache: redis.Redis) -> None:
    records = points_of_the_cast(9)
    records[2] = msgspec.structs.replace(records[2], data=msgspec.Raw(b'{"score": "a lot"}'))
    until_done(Mortal(killed_by(KILLER), CONSUMERS[Consumer.LEADERBOARDS]), chunk(records))
    assert letters() == [("leaderboards", "score_invalid", 2), ("leaderboards", "crash", KILLER)]


def test_a_worker_that_is_told_to_end_leaves_the_rest_to_the_next(cache: redis.Redis) -> None:
    carried = chunk(points_of_the_cast(9))
    begin_splitting(carried)
    with pytest.raises(GivenUp):
        deliver(CONSUMERS[Consumer.STATS], carried, sent=3, stopping=lambda: True)
    assert events_of("ada") == 1
    outcome = deliver(CONSUMERS[Consumer.STATS], carried, sent=4)
    assert (outcome.applied, outcome.dead) == (9, 0)
    assert events_of("ada") == 3


def begin_splitting(carried: Chunk) -> None:
    """Three workers died of the whole chunk."""
    consumer = Mortal(lambda _: True, CONSUMERS[Consumer.STATS])
    for sent in range(ATTEMPTS_OF_CHUNK):
        with pytest.raises(Died):
            deliver(consumer, carried, sent=sent)


def test_outages_while_splitting_are_no_deaths(cache: redis.Redis) -> None:
    carried = chunk(points_of_the_cast(9))
    begin_splitting(carried)
    outages = iter([True] * 4 + [False] * 100)

    def lose_a_server(_: set[int]) -> bool:
        if next(outages):
            raise CacheUnavailable("Redis is away")
        return False

    outcome = deliver(Mortal(lose_a_server, CONSUMERS[Consumer.STATS]), carried, sent=3)
    assert (outcome.applied, outcome.dead) == (9, 0)
    assert letters() == []


def test_a_chunk_of_a_mended_deploy_is_not_split(cache: redis.Redis) -> None:
    carried = chunk(points_of_the_cast(9))

    def meet_a_bug(_: set[int]) -> bool:
        raise KeyError("nobody thought of this")

    for sent in range(1, 6):
        with pytest.raises(GivenUp):
            deliver(
                Mortal(meet_a_bug, CONSUMERS[Consumer.STATS]),
                carried,
                sent=sent,
                stopping=lambda: True,
            )
    consumer = Mortal(lambda _: False, CONSUMERS[Consumer.STATS])
    assert deliver(consumer, carried, sent=6).applied == 9
    assert consumer.seen == [set(range(9))]


@pytest.mark.parametrize("seed", range(8))
def test_whenever_workers_die_each_event_is_applied_or_dead_lettered_once(
    seed: int, cache: redis.Redis
) -> None:
    chance = random.Random(seed)
    killers = set(chance.sample(range(12), chance.randint(0, 3)))
    consumer = Mortal(
        lambda in_hand: bool(in_hand & killers) or chance.random() < 0.05,
        CONSUMERS[Consumer.LOGGING],
    )
    carried = chunk(points_of_the_cast(12), refused=[refused(12, b"noise")])
    outcome, _ = until_done(consumer, carried)
    applied = {int(str(row[0])[-4:], 16) for row in totals().events}
    dead = {offset for service, _, offset in letters() if service == "logging"}
    assert applied | dead == set(range(12))
    assert not applied & dead
    assert killers <= dead
    assert len(letters()) == len(dead) + 1
    if not outcome.redelivered:
        assert outcome.applied == len(applied)


def test_a_race_for_a_key_is_no_poison(cache: redis.Redis) -> None:
    races = iter([True, False])

    def lose_the_race(in_hand: set[int]) -> bool:
        if in_hand == {1} and next(races):
            raise IntegrityError("duplicate key") from unique_violation()
        return False

    records = points_of_the_cast(2)
    records[0] = record(0, data='{"ratio": 1e-20000}')
    outcome = apply_chunk(Mortal(lose_the_race, CONSUMERS[Consumer.LOGGING]), chunk(records))
    assert (outcome.applied, outcome.dead) == (1, 1)
    assert letters() == [("logging", "22003", 0)]
    assert next(races, None) is None


def unique_violation() -> BaseException:
    with connection.cursor() as cursor:
        try:
            cursor.execute("DO $$ BEGIN RAISE unique_violation; END $$")
        except IntegrityError as error:
            return error.__cause__ or error
    raise AssertionError("PostgreSQL raised nothing")


OUT_OF_MEMORY_CODE = """
import django, json, resource, sys
django.setup()
from apps.contract.queues import Consumer
from apps.ledger.door import receive
from apps.events.services import LoggingConsumer

class Hungry(LoggingConsumer):
    def apply(self, records):
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        return bytearray(1 << 31)

receive(Hungry(), json.loads(sys.argv[1]))
print("came past it")
"""


def test_a_worker_without_memory_ends_at_once_and_the_attempt_counts(cache: redis.Redis) -> None:
    carried = msgspec.structs.replace(chunk(points_of_the_cast(3)), sent=1)
    signed = sealed(to_message([carried]), Consumer.LOGGING, settings.CHUNK_SIGNING_KEY)
    message = msgspec.json.encode(signed).decode()
    parameters = connection.get_connection_params()
    address = "postgres://{user}:{password}@{host}:{port}/{dbname}".format(**parameters)
    ended = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY_CODE, message],
        env={**os.environ, "DATABASE_URL": address},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (OUT_OF_MEMORY, "")
    assert "no memory left" in ended.stderr
    assert ChunkAttempt.objects.get().attempts == 1
    assert not DeadLetter.objects.exists()
