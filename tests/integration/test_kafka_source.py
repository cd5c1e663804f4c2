"""The bridge's source on a real Kafka: starts where it is told, commits, knows topics apart."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from prometheus_client import REGISTRY

from apps.contract.chunk import Record, Refused
from apps.contract.envelope import coordinates_id
from apps.contract.reading import read
from apps.ingest.publisher import KafkaPublisher
from apps.kafka import lookout
from bridge.source import Ends, KafkaSource, SourceUnavailable
from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.topic import ensure_topic
from tests.builders import NOW, event_id, event_text, parsed
from tests.kafka_clients import client_of

PATIENCE = 30.0  # seconds
ARRIVED = (1, int(NOW.timestamp() * 1000))


@pytest.fixture
def client(kafka: str) -> dict[str, Any]:
    return client_of(kafka)


@pytest.fixture
def topic(kafka: str) -> str:
    """A topic of two partitions; the first has ten events of ada's."""
    name = f"{os.environ['KAFKA_TOPIC']}.{uuid.uuid4().hex}"
    ensure_topic(kafka, name, 2)
    return name


def publish(client: dict[str, Any], topic: str, count: int) -> int:
    """Publish ada's events; the partition that her key has."""
    publisher = KafkaPublisher(client, topic)
    events = [parsed(number, event_text(event_id=event_id(number))) for number in range(count)]
    assert publisher.publish(events) == [None] * count
    with closing(source_of(client, topic, "ends")) as source:
        return next(number for number in (0, 1) if source.ends(number).high == count)


def source_of(
    client: dict[str, Any],
    topic: str,
    group_id: str,
    assigned: Callable[[list[int]], None] = lambda partitions: None,
) -> KafkaSource:
    return KafkaSource(
        client, topic=topic, group_id=group_id, on_assign=assigned, on_revoke=lambda: None
    )


def poll_until(source: KafkaSource, enough: Callable[[list[Message]], bool]) -> list[Message]:
    found: list[Message] = []
    until = time.monotonic() + PATIENCE
    while not enough(found):
        assert time.monotonic() < until, f"only {len(found)} messages came"
        found += source.poll(0.1)
    return found


@pytest.fixture
def joined(client: dict[str, Any], topic: str) -> Iterator[tuple[KafkaSource, list[int]]]:
    """A source that the group has given its partitions to, and which."""
    given: list[int] = []
    source = source_of(client, topic, topic, given.extend)
    poll_until(source, lambda _: bool(given))
    yield source, given
    source.close()


def test_an_assignment_is_told_and_read_from_where_it_is_started(
    client: dict[str, Any], topic: str, joined: tuple[KafkaSource, list[int]]
) -> None:
    source, given = joined
    number = publish(client, topic, 10)
    assert sorted(given) == [0, 1]
    assert source.poll(0.2) == []
    source.start({number: 4, 1 - number: 0})
    found = poll_until(source, lambda messages: len(messages) >= 6)
    assert [message.offset() for message in found] == list(range(4, 10))
    assert source.ends(number) == Ends(low=0, high=10)
    assert source.high(number) == 10


def test_a_message_becomes_the_record_that_was_published(
    client: dict[str, Any], topic: str, joined: tuple[KafkaSource, list[int]]
) -> None:
    source, _ = joined
    number = publish(client, topic, 3)
    source.start({number: 0})
    found = poll_until(source, lambda messages: len(messages) >= 3)
    items = [read(message, source.topic_id(), NOW) for message in found]
    assert [item.event_id for item in items if isinstance(item, Record)] == [
        event_id(offset) for offset in range(3)
    ]
    assert found[0].headers() == [
        ("event_type", b"player_score"),
        ("event_id", event_id(0).encode()),
    ]


def test_a_paused_partition_brings_nothing_until_it_is_resumed(
    client: dict[str, Any], topic: str, joined: tuple[KafkaSource, list[int]]
) -> None:
    source, _ = joined
    number = publish(client, topic, 3)
    source.start({number: 0})
    source.pause(number)
    assert source.poll(0.5) == []
    source.resume(number)
    assert len(poll_until(source, lambda messages: len(messages) >= 3)) == 3


@pytest.mark.parametrize("between", [True, False], ids=["dropped", "given again"])
def test_a_partition_that_starts_anew_is_not_paused_any_more(
    client: dict[str, Any], topic: str, joined: tuple[KafkaSource, list[int]], between: bool
) -> None:
    """librdkafka remembers a pause beyond the assignment in which it was asked for."""
    source, _ = joined
    number = publish(client, topic, 3)
    source.start({number: 0})
    source.pause(number)
    assert source.poll(0.5) == []
    if between:
        source.start({})
    source.start({number: 0})
    assert len(poll_until(source, lambda messages: len(messages) >= 3)) == 3


def test_what_is_committed_is_the_next_offset(
    client: dict[str, Any], topic: str, joined: tuple[KafkaSource, list[int]]
) -> None:
    source, _ = joined
    number = publish(client, topic, 5)
    source.start({number: 0})
    poll_until(source, lambda messages: len(messages) >= 5)
    source.commit({number: 5})
    admin = AdminClient(client)
    asked = ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, number)])

    def committed(_: list[Message]) -> bool:
        answer = admin.list_consumer_group_offsets([asked])[topic].result(PATIENCE)
        return bool(answer.topic_partitions[0].offset == 5)

    poll_until(source, committed)


def test_a_topic_that_was_made_anew_is_another(client: dict[str, Any], topic: str) -> None:
    with closing(source_of(client, topic, "first")) as source:
        before = source.topic_id()
        assert source.topic_id() == before
    admin = AdminClient(client)
    admin.delete_topics([topic])[topic].result(PATIENCE)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(PATIENCE)
            break
        except KafkaException:
            assert time.monotonic() < until, "the topic's name is not free"
    with closing(source_of(client, topic, "second")) as source:
        while True:
            try:
                assert source.topic_id() != before
                break
            except SourceUnavailable:  # not every part of the broker knows of it at once
                assert time.monotonic() < until, "the topic does not answer"


def message(value: bytes | None, *, timestamp: tuple[int, int] = ARRIVED) -> Message:
    return Message(
        topic="t",
        partition=1,
        offset=9,
        key=None,
        value=value,
        headers=[("trace", b"\xff")],
        timestamp=timestamp,
    )


def test_a_message_without_an_id_is_known_by_where_it_lies() -> None:
    topic_id = uuid.uuid4()
    once = read(message(event_text()), topic_id, NOW)
    again = read(message(event_text()), topic_id, NOW)
    assert isinstance(once, Record)
    assert once.event_id == coordinates_id(topic_id, 1, 9)
    assert again == once


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "empty"),
        (b"", "empty"),
        (bytes(range(256)), "invalid_json"),
        (b"[]", "not_object"),
        (b"\x80\x05\x95.", "invalid_json"),
        (event_text(player_id="x\x00"), "nul_char"),
        (b"{" + b" " * 900_000 + b"}", "event_too_large"),
    ],
    ids=["null", "empty", "random", "array", "pickle", "nul", "900 KB"],
)
def test_a_message_that_is_no_event_keeps_its_bytes(value: bytes | None, code: str) -> None:
    item = read(message(value), uuid.uuid4(), NOW)
    assert isinstance(item, Refused)
    assert (item.offset, item.code, item.raw) == (9, code, value or b"")
    assert item.headers == [("trace", b"\xff")]


@pytest.mark.parametrize(
    "timestamp",
    [(0, -1), (1, -1), (1, 1), (1, 32_503_680_000_000)],
    ids=["none", "forged", "year 1970", "year 3000"],
)
def test_a_forged_record_time_moves_no_event(timestamp: tuple[int, int]) -> None:
    item = read(message(event_text(), timestamp=timestamp), uuid.uuid4(), NOW)
    assert isinstance(item, Record)
    assert item.ingested_at == NOW


def test_who_finds_no_place_in_the_group_while_kafka_answers_joins_by_another_client(
    client: dict[str, Any], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(lookout, "LOST_SECONDS", 1.0)
    # A member that lives and never gives its partitions back: nobody else gets in.
    holder = Consumer({**client, "group.id": topic})
    told: list[int] = []
    holder.subscribe([topic], on_assign=lambda _, places: told.append(len(places)))
    assert wait_until(lambda: holder.poll(0.1) is None and bool(told), seconds=PATIENCE)
    given: list[int] = []
    before = cut_off()
    with closing(source_of(client, topic, topic, given.extend)) as source:
        poll_until(source, lambda _: cut_off() > before)
        assert not given
        holder.close()
        # The client that was replaced is a member as well, until it has left.
        poll_until(source, lambda _: sorted(given[-2:]) == [0, 1])
        number = publish(client, topic, 3)
        source.start({number: 0})
        poll_until(source, lambda messages: len(messages) == 3)


def cut_off() -> float:
    labels = {"consumer": "bridge", "cause": "kafka_cut_off"}
    return REGISTRY.get_sample_value("errors_total", labels) or 0.0
