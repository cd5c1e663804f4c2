"""Where the bridge begins to read when the group gives it partitions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import pytest
from confluent_kafka import Message
from prometheus_client import REGISTRY

from apps.contract.queues import Consumer
from bridge.assignment import start
from bridge.buffer import CutPolicy
from bridge.ledger import Advance
from bridge.ledger_fake import MemoryLedger
from bridge.partition import Partition
from bridge.source_fake import MemorySource, MemoryTopic
from tests.builders import OTHER_TOPIC_ID, TOPIC, TOPIC_ID, record

POLICY = CutPolicy(max_events=500, max_bytes=100_000, linger=0.03)


def source_of(offsets: Iterable[int], *, topic_id: uuid.UUID = TOPIC_ID) -> MemorySource:
    """A topic whose partition 0 has messages at these offsets, and nothing else."""
    held = {
        offset: Message(topic=TOPIC, partition=0, offset=offset, value=b"noise")
        for offset in offsets
    }
    topic = MemoryTopic(topic_id=topic_id, partitions={0: held})
    return MemorySource(topic=topic, on_assign=lambda partitions: None)


def started(source: MemorySource, ledger: MemoryLedger) -> Partition:
    topic_id = source.topic_id()
    return start(source, ledger, topic=TOPIC, topic_id=topic_id, numbers=[0])[0]


def first_read(source: MemorySource) -> int | None:
    source.poll(0.0)  # joins
    return source.poll(0.0)[0].offset()


def ledger_at(**positions: int) -> MemoryLedger:
    ledger = MemoryLedger()
    ledger.positions(TOPIC_ID, {0: 0})
    moves = [
        Advance(consumer=Consumer(name), partition=0, old=0, new=offset)
        for name, offset in positions.items()
    ]
    ledger.advance(TOPIC_ID, moves)
    return ledger


def test_a_new_topic_is_read_from_its_oldest_message() -> None:
    source = source_of(range(40, 50))
    partition = started(source, MemoryLedger())
    assert (partition.low_watermark, first_read(source)) == (40, 40)


def test_a_partition_is_read_from_its_slowest_consumers_position() -> None:
    source = source_of(range(50))
    partition = started(source, ledger_at(logging=30, stats=12, leaderboards=45))
    assert (partition.low_watermark, first_read(source)) == (12, 12)


def test_what_retention_took_is_spanned_by_the_first_chunk(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = source_of(range(20, 50))
    partition = started(source, ledger_at(logging=5, stats=12, leaderboards=45))
    assert first_read(source) == 20
    assert partition.buffer.first_offset == 5
    (critical,) = (line for line in caplog.records if line.levelname == "CRITICAL")
    assert "events are lost" in critical.message


def test_each_consumer_that_lost_offsets_is_told_which() -> None:
    partition = started(source_of(range(20, 50)), ledger_at(logging=5, stats=12, leaderboards=20))
    partition.cut()
    ((key, held),) = partition.window.chunks.items()
    assert key == (5, 20)
    assert set(held.leases) == {Consumer.LOGGING, Consumer.STATS}
    told = {name: held.parcel(name).refused for name in held.leases}
    for name, first in ((Consumer.LOGGING, 5), (Consumer.STATS, 12)):
        (gap,) = told[name]
        assert (gap.consumer, gap.code, gap.offset, gap.raw) == (name, "retention_gap", 19, b"")
        assert f"[{first}, 20)" in gap.message


def test_what_lies_behind_a_gap_waits_for_no_linger_of_it() -> None:
    partition = started(source_of(range(20, 50)), ledger_at(logging=5, stats=5, leaderboards=5))
    assert partition.take(record(20), 10)
    partition.cut()
    ((key, held),) = partition.window.chunks.items()
    assert (key, held.chunk.events, len(held.chunk.refused)) == ((5, 21), 1, 3)


def test_a_partition_that_lost_applied_records_is_not_read_and_the_others_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = source_of(range(10))
    source.topic.partitions[1] = {
        offset: Message(topic=TOPIC, partition=1, offset=offset, value=b"noise")
        for offset in range(10)
    }
    ledger = ledger_at(logging=12, stats=12, leaderboards=9)
    found = start(source, ledger, topic=TOPIC, topic_id=source.topic_id(), numbers=[0, 1])
    assert set(found) == {1}
    shown = [
        REGISTRY.get_sample_value("partition_truncated", {"partition": number}) for number in "01"
    ]
    assert shown == [1, 0]
    source.poll(0.0)  # joins
    assert {message.partition() for message in source.poll(0.0)} == {1}
    (critical,) = (line for line in caplog.records if line.levelname == "CRITICAL")
    assert "not read" in critical.message


def test_a_topic_that_was_made_anew_is_read_from_its_start() -> None:
    source = source_of(range(10), topic_id=OTHER_TOPIC_ID)
    started(source, ledger_at(logging=12, stats=12, leaderboards=12))
    assert first_read(source) == 0
