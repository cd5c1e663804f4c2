"""What every ledger keeps to: the one in PostgreSQL and the one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import redis
from django.db import connection
from django.db.models.functions import Now

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from apps.ledger import attempts
from apps.ledger.models import AppliedChunk, ChunkAttempt
from apps.ledger.services import apply_chunk
from bridge import pruning
from bridge.ledger import Advance, Ledger, PositionMoved, PostgresLedger
from bridge.ledger_fake import MemoryLedger
from tests.builders import OTHER_TOPIC_ID, TOPIC_ID, chunk, record
from tests.database import dsn
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A ledger under test, how a worker commits to it, and how an hour passes for it."""

    ledger: Ledger
    apply: Callable[[Consumer, Chunk], None]
    let_an_hour_pass: Callable[[], None]


def in_memory() -> Subject:
    ledger = MemoryLedger()
    return Subject(ledger=ledger, apply=ledger.apply, let_an_hour_pass=lambda: None)


def in_postgresql() -> Subject:
    def an_hour_passes() -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE applied_chunks SET applied_at = now() - interval '61 minutes'")

    def apply(consumer: Consumer, carried: Chunk) -> None:
        apply_chunk(CONSUMERS[consumer], carried)

    ledger = PostgresLedger(dsn())
    return Subject(ledger=ledger, apply=apply, let_an_hour_pass=an_hour_passes)


@pytest.fixture(params=[in_memory, in_postgresql], ids=["memory", "postgresql"])
def subject(request: pytest.FixtureRequest, cache: redis.Redis) -> Iterator[Subject]:
    made: Subject = request.param()
    yield made
    made.ledger.close()


def of(first_offset: int, next_offset: int, *, partition: int = 0) -> Chunk:
    records = [record(offset) for offset in range(first_offset, next_offset)]
    return chunk(records, partition=partition)


def everywhere(offset: int) -> dict[Consumer, int]:
    return dict.fromkeys(Consumer, offset)


def move(consumer: Consumer, old: int, new: int, *, partition: int = 0) -> Advance:
    return Advance(consumer=consumer, partition=partition, old=old, new=new)


def test_a_partition_without_positions_begins_at_its_start(subject: Subject) -> None:
    found = subject.ledger.positions(TOPIC_ID, {0: 0, 1: 17})
    assert found == {0: everywhere(0), 1: everywhere(17)}


def test_positions_are_seeded_once(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 5})
    assert subject.ledger.positions(TOPIC_ID, {0: 99, 1: 7}) == {0: everywhere(5), 1: everywhere(7)}


def test_no_partitions_have_no_positions(subject: Subject) -> None:
    assert subject.ledger.applied(TOPIC_ID, {}) == []
    subject.ledger.advance(TOPIC_ID, [])


def test_a_recreated_topic_starts_afresh(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 50})
    subject.apply(Consumer.STATS, of(50, 53))
    assert subject.ledger.positions(OTHER_TOPIC_ID, {0: 0}) == {0: everywhere(0)}
    assert subject.ledger.applied(OTHER_TOPIC_ID, {(Consumer.STATS, 0): 0}) == []


def test_an_applied_chunk_is_seen_by_its_consumer_and_partition(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 0, 1: 0})
    subject.apply(Consumer.STATS, of(0, 3))
    subject.apply(Consumer.LOGGING, of(0, 2, partition=1))
    watermarks = {(consumer, partition): 0 for consumer in Consumer for partition in (0, 1)}
    assert sorted(subject.ledger.applied(TOPIC_ID, watermarks)) == [
        (Consumer.LOGGING, 1, 0, 2),
        (Consumer.STATS, 0, 0, 3),
    ]


def test_only_chunks_that_begin_at_or_beyond_the_watermark_are_told(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 0})
    for first_offset, next_offset in ((0, 3), (2, 5), (3, 5), (7, 9)):
        subject.apply(Consumer.STATS, of(first_offset, next_offset))
    found = subject.ledger.applied(TOPIC_ID, {(Consumer.STATS, 0): 3})
    assert sorted(found) == [(Consumer.STATS, 0, 3, 5), (Consumer.STATS, 0, 7, 9)]


def test_a_chunk_below_the_position_adds_nothing(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 10})
    subject.apply(Consumer.STATS, of(4, 10))
    assert subject.ledger.applied(TOPIC_ID, {(Consumer.STATS, 0): 0}) == []


def test_a_position_moves_from_where_it_was_left(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 0, 1: 0})
    subject.ledger.advance(TOPIC_ID, [move(Consumer.STATS, 0, 8)])
    found = subject.ledger.positions(TOPIC_ID, {0: 0, 1: 0})
    assert found == {0: {**everywhere(0), Consumer.STATS: 8}, 1: everywhere(0)}


def test_a_position_that_moved_is_not_overwritten(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 0})
    subject.ledger.advance(TOPIC_ID, [move(Consumer.STATS, 0, 8)])
    with pytest.raises(PositionMoved):
        subject.ledger.advance(TOPIC_ID, [move(Consumer.STATS, 0, 5)])
    assert subject.ledger.positions(TOPIC_ID, {0: 0})[0][Consumer.STATS] == 8


def test_positions_move_all_or_none(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 0, 1: 0})
    moves = [move(Consumer.LOGGING, 0, 8), move(Consumer.STATS, 3, 8, partition=1)]
    with pytest.raises(PositionMoved):
        subject.ledger.advance(TOPIC_ID, moves)
    assert subject.ledger.positions(TOPIC_ID, {0: 0}) == {0: everywhere(0)}


def test_a_position_that_was_never_seeded_does_not_move(subject: Subject) -> None:
    with pytest.raises(PositionMoved):
        subject.ledger.advance(TOPIC_ID, [move(Consumer.STATS, 0, 8)])


def test_what_lies_below_the_positions_is_forgotten_and_stays_done(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 0})
    for first_offset, next_offset in ((0, 3), (3, 6), (4, 7)):
        subject.apply(Consumer.STATS, of(first_offset, next_offset))
    subject.ledger.advance(TOPIC_ID, [move(Consumer.STATS, 0, 6)])
    subject.let_an_hour_pass()
    assert subject.ledger.prune(TOPIC_ID) == 2
    assert subject.ledger.prune(TOPIC_ID) == 0
    subject.apply(Consumer.STATS, of(0, 3))
    assert subject.ledger.applied(TOPIC_ID, {(Consumer.STATS, 0): 0}) == [(Consumer.STATS, 0, 4, 7)]


def test_a_ledger_that_was_closed_connects_anew(subject: Subject) -> None:
    subject.ledger.positions(TOPIC_ID, {0: 5})
    subject.ledger.close()
    assert subject.ledger.positions(TOPIC_ID, {0: 0}) == {0: everywhere(5)}


def test_postgresql_keeps_what_an_operator_may_look_at(cache: redis.Redis) -> None:
    made = in_postgresql()
    made.ledger.positions(TOPIC_ID, {0: 0})
    made.apply(Consumer.STATS, of(0, 3))
    made.ledger.advance(TOPIC_ID, [move(Consumer.STATS, 0, 3)])
    assert made.ledger.prune(TOPIC_ID) == 0
    assert AppliedChunk.objects.count() == 1
    made.ledger.close()


def test_postgresql_forgets_more_than_one_pass_takes_and_leaves_what_is_young(
    cache: redis.Redis,
) -> None:
    made = in_postgresql()
    made.ledger.positions(TOPIC_ID, {0: 0})
    many = 2 * pruning.WINDOW + 10
    AppliedChunk.objects.bulk_create(
        AppliedChunk(
            consumer=consumer,
            topic_id=TOPIC_ID,
            partition=0,
            first_offset=3 * number,
            next_offset=3 * number + 3,
            cached=True,
        )
        for consumer in Consumer
        for number in range(many)
    )
    made.ledger.advance(
        TOPIC_ID,
        [move(consumer, 0, 3 * many - 3) for consumer in (Consumer.STATS, Consumer.LOGGING)],
    )
    made.let_an_hour_pass()
    late = AppliedChunk.objects.filter(consumer=Consumer.STATS, first_offset=6)
    late.update(applied_at=Now())
    # Of two consumers all but the last, which is at the position, and the one that came late.
    deleted = [made.ledger.prune(TOPIC_ID) for _ in range(6)]
    assert sum(deleted) == 2 * (many - 1) - 1
    assert max(deleted) <= 2 * pruning.WINDOW
    made.let_an_hour_pass()
    assert made.ledger.prune(TOPIC_ID) == 1
    made.ledger.close()


def test_postgresql_forgets_attempts_below_the_position_at_once(cache: redis.Redis) -> None:
    made = in_postgresql()
    made.ledger.positions(TOPIC_ID, {0: 0})
    for first_offset in (0, 3):
        attempts.begin(Consumer.STATS, of(first_offset, first_offset + 3))
    made.ledger.advance(TOPIC_ID, [move(Consumer.STATS, 0, 3)])
    made.ledger.prune(TOPIC_ID)
    assert list(ChunkAttempt.objects.values_list("first_offset", flat=True)) == [3]
    made.ledger.close()


def test_postgresql_does_not_tell_of_a_chunk_that_redis_lacks(cache: redis.Redis) -> None:
    made = in_postgresql()
    made.ledger.positions(TOPIC_ID, {0: 0})
    made.apply(Consumer.STATS, of(0, 3))
    AppliedChunk.objects.filter(consumer=Consumer.STATS).update(cached=False)
    assert made.ledger.applied(TOPIC_ID, {(Consumer.STATS, 0): 0}) == []
    made.apply(Consumer.STATS, of(0, 3))
    assert made.ledger.applied(TOPIC_ID, {(Consumer.STATS, 0): 0}) == [(Consumer.STATS, 0, 0, 3)]
    made.ledger.close()
