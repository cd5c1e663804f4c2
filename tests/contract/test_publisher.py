"""What every publisher keeps to: Kafka's and the one in memory."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from apps.contract.envelope import Event, decode_event, encode
from apps.ingest.publisher import KafkaPublisher, Publisher
from apps.ingest.publisher_fake import MemoryPublisher
from gamemetrics.stack.topic import ensure_topic
from tests.builders import CAST, NOW, event_id, event_text
from tests.kafka_clients import client_of

PATIENCE = 15.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A publisher, what it published, and the same one with its broker away."""

    publisher: Publisher
    published: Callable[[int], list[bytes]]
    away: Callable[[], Publisher]


def in_memory() -> Subject:
    publisher = MemoryPublisher()
    return Subject(
        publisher=publisher,
        published=lambda count: [encode(event) for event in publisher.published],
        away=lambda: MemoryPublisher(away=True),
    )


def in_kafka(servers: str) -> Subject:
    client = client_of(servers)
    topic = f"{os.environ['KAFKA_TOPIC']}.{uuid.uuid4().hex}"
    ensure_topic(servers, topic, 1)

    def published(count: int) -> list[bytes]:
        consumer = Consumer({**client, "group.id": topic, "enable.auto.commit": False})
        with closing(consumer):
            consumer.assign([TopicPartition(topic, 0, 0)])
            return [message.value() or b"" for message in consumer.consume(count, PATIENCE)]

    return Subject(
        publisher=KafkaPublisher(client, topic),
        published=published,
        away=lambda: KafkaPublisher(client_of("127.0.0.1:1"), topic),
    )


@pytest.fixture(params=["memory", "kafka"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "memory":
        yield in_memory()
    else:
        yield in_kafka(request.getfixturevalue("kafka"))


def events(count: int) -> list[Event]:
    return [
        decode_event(event_text(player_id=CAST[number % 3]), now=NOW, absent_id=event_id(number))
        for number in range(count)
    ]


def test_confirmed_events_are_there_to_be_read(subject: Subject) -> None:
    sent = events(50)
    assert subject.publisher.publish(sent) == [None] * 50
    assert sorted(subject.published(50)) == sorted(encode(event) for event in sent)


def test_nothing_to_publish_is_confirmed_as_nothing(subject: Subject) -> None:
    assert subject.publisher.publish([]) == []


def test_a_broker_that_is_there_answers_a_ping(subject: Subject) -> None:
    subject.publisher.ping(PATIENCE)


def test_a_broker_that_is_away_answers_no_ping(subject: Subject) -> None:
    with pytest.raises(KafkaException):
        subject.away().ping(0.5)


def test_a_broker_that_is_away_confirms_nothing(subject: Subject) -> None:
    problems = subject.away().publish(events(3))
    assert len(problems) == 3
    assert all(problems)
