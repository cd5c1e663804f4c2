"""A producer that finds its brokers no more, on a real Kafka."""

from __future__ import annotations

import os
import uuid

import pytest

from apps.ingest import publisher
from apps.ingest.publisher import KafkaPublisher
from apps.kafka import lookout
from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.topic import ensure_topic
from tests.builders import event_text, parsed
from tests.kafka_clients import client_of

PATIENCE = 30.0  # seconds


def test_another_producer_takes_the_place_of_one_that_is_cut_off(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(lookout, "LOST_SECONDS", 1.0)
    monkeypatch.setattr(publisher, "MESSAGE_TIMEOUT_MS", 1_000)
    topic = f"{os.environ['KAFKA_TOPIC']}.{uuid.uuid4().hex}"
    ensure_topic(kafka, topic, 1)
    # A producer's settings are read once: this one never finds a broker, the next one does.
    client = client_of("127.0.0.1:1")
    producer = KafkaPublisher(client, topic)
    event = parsed(1, event_text())
    assert producer.publish([event]) != [None]
    client["bootstrap.servers"] = kafka
    assert wait_until(lambda: producer.publish([event]) == [None], seconds=PATIENCE)
