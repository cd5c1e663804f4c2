"""Chunks that share a message: what becomes of them is what becomes of each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.contract.chunk import Chunk, Record, to_message
from apps.contract.queues import Consumer
from apps.contract.seal import sealed
from apps.ledger.cache import CacheUnavailable
from apps.ledger.door import receive
from apps.ledger.models import AppliedChunk
from apps.ledger.services import ChunkConsumer, apply_chunk
from apps.stats.services import StatsConsumer
from tests.builders import CAST, GAME, chunk, record, refused
from tests.copies import counted, read_before
from tests.emptying import empty
from tests.totals import CONSUMERS, Totals, events_of, totals

pytestmark = pytest.mark.django_db(transaction=True)
every_consumer = pytest.mark.parametrize("name", list(Consumer))


def deliver(consumer: ChunkConsumer, chunks: Sequence[Chunk]) -> None:
    """As the task does with a message of the bridge."""
    receive(
        consumer,
        sealed(to_message(chunks), consumer.name, settings.CHUNK_SIGNING_KEY),
    )


def three_partitions(events: int, *, number: int = 0) -> list[Chunk]:
    """A chunk from each of three partitions, of different events."""
    return [
        chunk(
            [
                record(offset, number=number + partition * events + offset, player_id=player)
                for offset in range(events)
            ],
            partition=partition,
        )
        for partition, player in enumerate(CAST)
    ]


def rows() -> list[tuple[Any, ...]]:
    fields = ("consumer", "partition", "first_offset", "applied", "duplicates", "dead", "cached")
    return sorted(AppliedChunk.objects.values_list(*fields))


@every_consumer
def test_chunks_of_three_partitions_are_applied_in_one_transaction(
    name: Consumer, cache: redis.Redis
) -> None:
    with CaptureQueriesContext(connection) as captured:
        deliver(CONSUMERS[name], three_partitions(4))
    asked = [query["sql"].split()[:2] for query in captured.captured_queries]
    assert asked.count(["COMMIT"]) <= 1
    assert asked.count(["EXECUTE", "claim_chunks"]) == 1
    assert asked.count(["EXECUTE", "mark_chunk_cached"]) == (0 if name is Consumer.LOGGING else 1)
    assert [row[:6] for row in rows()] == [(name.value, p, 0, 4, 0, 0) for p in range(3)]
    assert all(cached for *_, cached in rows())


def outcome_of(carried: Sequence[Sequence[Chunk]], name: Consumer, *, shared: bool) -> Any:
    """The tables after these messages, or after each of their chunks by itself."""
    for message in carried:
        if shared:
            deliver(CONSUMERS[name], message)
        else:
            for one in message:
                apply_chunk(CONSUMERS[name], one)
    found: tuple[Totals, list[tuple[Any, ...]]] = totals(), rows()
    return found


def surprising(chance: Random) -> list[list[Chunk]]:
    """Messages with repeats within and among chunks, bad scores, refused messages, and chunks that
    come again."""
    messages: list[list[Chunk]] = []
    offsets = [0, 0, 0]
    for _ in range(4):
        message = []
        for partition in chance.sample(range(3), chance.randint(2, 3)):
            count, first = chance.randint(1, 4), offsets[partition]
            records: list[Record] = []
            for offset in range(first, first + count):
                data = '{"score": "many"}' if chance.random() < 0.05 else '{"score": 3}'
                repeated = chance.random() < 0.1
                number = chance.randrange(6) if repeated else 1000 * (partition + 1) + offset
                records.append(
                    record(offset, number=number, player_id=chance.choice(CAST), data=data)
                )
            offsets[partition] += count
            noise = [refused(first + count, b"noise")] if chance.random() < 0.1 else []
            offsets[partition] += len(noise)
            message.append(chunk(records, partition=partition, refused=noise))
        messages.append(message)
        if chance.random() < 0.3:
            messages.append(message)
    return messages


@every_consumer
@pytest.mark.parametrize("seed", range(8))
def test_sharing_a_message_changes_no_row(name: Consumer, seed: int, cache: redis.Redis) -> None:
    carried = surprising(Random(seed))
    together = outcome_of(carried, name, shared=True)
    empty()
    assert outcome_of(carried, name, shared=False) == together


class FailsAtRedis(StatsConsumer):
    """Redis is away at the first write."""

    def __init__(self) -> None:
        self.writes = 0

    def refresh(self, changes: list[Any]) -> None:
        self.writes += 1
        if self.writes == 1:
            raise CacheUnavailable("Redis went away")
        super().refresh(changes)


def test_what_is_committed_when_redis_goes_away_is_written_by_each_chunk(
    cache: redis.Redis,
) -> None:
    consumer = FailsAtRedis()
    read_before(GAME, CAST)
    deliver(consumer, three_partitions(4))
    assert consumer.writes == 4
    assert rows() == [("stats", partition, 0, 4, 0, 0, True) for partition in range(3)]
    assert counted(GAME, CAST) == [events_of(player) for player in CAST]


def test_a_chunk_that_was_sent_before_is_taken_by_itself(cache: redis.Redis) -> None:
    first, *others = three_partitions(2)
    again = msgspec.structs.replace(first, sent=1)
    with CaptureQueriesContext(connection) as captured:
        deliver(CONSUMERS[Consumer.STATS], [again, *others])
    asked = [query["sql"] for query in captured.captured_queries]
    assert sum("chunk_attempts" in sql for sql in asked) >= 1
    assert rows() == [("stats", partition, 0, 2, 0, 0, True) for partition in range(3)]
