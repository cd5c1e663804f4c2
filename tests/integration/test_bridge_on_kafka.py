"""The bridge on a real Kafka whose records go: retention, and a topic that is made anew."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from prometheus_client import REGISTRY

from apps.contract.chunk import Refused, decode_records
from apps.contract.queues import Consumer
from apps.ingest.publisher import KafkaPublisher
from bridge.buffer import CutPolicy
from bridge.courier_fake import FaultyCourier
from bridge.ledger import Advance
from bridge.ledger_fake import MemoryLedger
from bridge.loop import Bridge
from bridge.settings import BridgeSettings
from bridge.source import KafkaSource
from tests.builders import event_id, event_text, parsed
from tests.kafka_clients import client_of

PATIENCE = 60.0  # seconds


@dataclass
class Pipeline:
    """A topic of one partition, a bridge on it, and consumers that apply whatever comes."""

    client: dict[str, Any]
    topic: str
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    courier: FaultyCourier = field(default_factory=lambda: FaultyCourier(random=Random(1)))
    applied: dict[Consumer, list[str]] = field(
        default_factory=lambda: {consumer: [] for consumer in Consumer}
    )
    gaps: list[tuple[Consumer, Refused]] = field(default_factory=list)
    bridge: Bridge = field(init=False)

    def __post_init__(self) -> None:
        self.create()
        source = KafkaSource(
            self.client,
            topic=self.topic,
            group_id=self.topic,
            on_assign=lambda partitions: self.bridge.assigned(partitions),
            on_revoke=lambda: self.bridge.revoked(),
        )
        self.bridge = Bridge(
            BridgeSettings(policy=CutPolicy(max_events=5, max_bytes=100_000, linger=0.0)),
            topic=self.topic,
            source=source,
            ledger=self.ledger,
            courier=self.courier,
            beat=lambda: None,
        )

    @property
    def admin(self) -> AdminClient:
        return AdminClient(self.client)

    def create(self) -> None:
        """Make the topic; its name is free some moments after a topic of that name is deleted."""
        until = time.monotonic() + PATIENCE
        while True:
            admin = self.admin
            try:
                admin.create_topics([NewTopic(self.topic, 1, 1)])[self.topic].result(PATIENCE)
                return
            except KafkaException:
                assert time.monotonic() < until, "the topic's name is not free"

    def publish(self, numbers: range) -> None:
        events = [parsed(n, event_text(event_id=event_id(n))) for n in numbers]
        until = time.monotonic() + PATIENCE
        while events:
            # A topic just made may have no leader yet.
            answers = KafkaPublisher(self.client, self.topic).publish(events)
            events = [event for event, problem in zip(events, answers, strict=True) if problem]
            assert time.monotonic() < until, "events were not taken"

    def delete_before(self, offset: int) -> None:
        """What retention does."""
        admin, place = self.admin, TopicPartition(self.topic, 0, offset)
        admin.delete_records([place])[place].result(PATIENCE)

    def make_anew(self) -> None:
        admin = self.admin
        admin.delete_topics([self.topic])[self.topic].result(PATIENCE)
        self.create()

    def run_until(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, f"not in time: {what}"
            self.bridge.step(time.monotonic())
            while message := self.courier.fetch():
                consumer, chunks = message
                for chunk in chunks:
                    self.applied[consumer] += [r.event_id for r in decode_records(chunk.records)]
                    self.gaps += [(consumer, refused) for refused in chunk.refused]
                    self.ledger.apply(consumer, chunk)

    def position(self) -> int:
        return min(p.low_watermark for p in self.bridge.partitions.values())

    def is_at(self, offset: int) -> Callable[[], bool]:
        return lambda: bool(self.bridge.partitions) and self.position() == offset

    def leave_group(self) -> None:
        self.bridge.source.close()


@pytest.fixture
def pipeline(kafka: str) -> Iterator[Pipeline]:
    name = f"{os.environ['KAFKA_TOPIC']}.{uuid.uuid4().hex}"
    made = Pipeline(client=client_of(kafka), topic=name)
    yield made
    made.leave_group()


def ids(numbers: range) -> list[str]:
    return [event_id(number) for number in numbers]


def test_what_retention_took_before_a_consumer_had_it_is_told_to_that_consumer_alone(
    pipeline: Pipeline,
) -> None:
    pipeline.publish(range(10))
    topic_id = pipeline.bridge.source.topic_id()
    pipeline.ledger.positions(topic_id, {0: 0})
    ahead = [(Consumer.LOGGING, 8), (Consumer.STATS, 3)]
    pipeline.ledger.advance(
        topic_id, [Advance(consumer=c, partition=0, old=0, new=at) for c, at in ahead]
    )
    pipeline.delete_before(6)
    pipeline.run_until(pipeline.is_at(10), "all is applied")
    told = {consumer: (gap.offset, gap.message) for consumer, gap in pipeline.gaps}
    assert set(told) == {Consumer.STATS, Consumer.LEADERBOARDS}
    assert "[3, 6)" in told[Consumer.STATS][1]
    assert "[0, 6)" in told[Consumer.LEADERBOARDS][1]
    assert {offset for offset, _ in told.values()} == {5}
    for consumer in (Consumer.STATS, Consumer.LEADERBOARDS):
        assert pipeline.applied[consumer] == ids(range(6, 10))


def test_a_topic_made_anew_and_longer_than_before_is_read_from_its_start(
    pipeline: Pipeline,
) -> None:
    pipeline.publish(range(5))
    pipeline.run_until(pipeline.is_at(5), "the old topic is applied")
    old = pipeline.bridge.topic_id
    before = REGISTRY.get_sample_value("topic_recreated_total")
    pipeline.make_anew()
    # No offset of the old topic is out of range: only the id tells that it is another.
    pipeline.publish(range(100, 120))
    # It may come to the new topic's end under the old id, before it looks at the id.
    pipeline.run_until(
        lambda: pipeline.bridge.topic_id != old and pipeline.is_at(20)(),
        "the new topic is applied from its start",
    )
    for consumer in Consumer:
        assert set(pipeline.applied[consumer]) == {*ids(range(5)), *ids(range(100, 120))}
    assert REGISTRY.get_sample_value("topic_recreated_total") == (before or 0) + 1


def test_a_topic_made_anew_while_the_bridge_reads_on_is_read_from_its_start(
    pipeline: Pipeline,
) -> None:
    pipeline.publish(range(5))
    pipeline.run_until(pipeline.is_at(5), "the old topic is applied")
    pipeline.make_anew()
    pipeline.run_until(
        lambda: (
            pipeline.bridge.topic_id is not None
            and pipeline.bridge.topic_id == pipeline.bridge.source.seen_topic_id()
        ),
        "the new topic is noticed",
    )
    pipeline.publish(range(100, 103))
    pipeline.run_until(pipeline.is_at(3), "the new topic is applied")
    for consumer in Consumer:
        assert set(pipeline.applied[consumer]) == {*ids(range(5)), *ids(range(100, 103))}


def test_a_topic_that_is_shorter_than_what_was_applied_stops_no_other(pipeline: Pipeline) -> None:
    pipeline.publish(range(5))
    topic_id = pipeline.bridge.source.topic_id()
    pipeline.ledger.positions(topic_id, {0: 7})
    shown = {"partition": "0"}
    pipeline.run_until(
        lambda: REGISTRY.get_sample_value("partition_truncated", shown) == 1,
        "the truncated partition is shown",
    )
    assert pipeline.bridge.partitions == {}
    assert not pipeline.courier.sent
