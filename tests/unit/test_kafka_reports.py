"""What Kafka reports becomes one line that names the setting, and a count of all of it."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import KafkaError

from apps.kafka.reports import FRESH_SECONDS, REPEAT_SECONDS, Reports
from apps.kafka.trouble import Cause, trouble


def reports() -> Reports:
    return Reports("bridge", {"topic": "player.events.raw"})


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        (KafkaError._AUTHENTICATION, "KAFKA_PASSWORD"),
        (KafkaError._SSL, "KAFKA_SSL_CA_LOCATION"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "KAFKA_TOPIC"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "KAFKA_GROUP_ID"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "KAFKA_TOPIC"),
    ],
)
def test_a_denial_names_its_setting(code: int, setting: str) -> None:
    error = KafkaError(code, "told by the broker")
    found = trouble(error.name(), error.str())
    assert found.cause is Cause.DENIED
    assert setting in found.remedy
    assert found.told == "told by the broker"


def test_a_broker_that_is_away_is_an_outage_and_no_denial() -> None:
    found = trouble(KafkaError(KafkaError._ALL_BROKERS_DOWN).name(), "1/1 brokers are down")
    assert found.cause is Cause.OUTAGE
    assert "KAFKA_BOOTSTRAP_SERVERS" in found.remedy


def test_the_same_trouble_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    refused = trouble("_AUTHENTICATION", "refused")
    told = reports()
    with caplog.at_level(logging.WARNING):
        for tenth in range(int(REPEAT_SECONDS) * 10):
            told.note(refused, 100.0 + tenth / 10)
        assert len(caplog.records) == 1
        told.note(refused, 100.0 + REPEAT_SECONDS)
    assert len(caplog.records) == 2


def test_after_it_worked_the_next_trouble_is_news(caplog: pytest.LogCaptureFixture) -> None:
    told = reports()
    with caplog.at_level(logging.INFO):
        told.note(trouble("_SSL", "refused"), 100.0)
        told.works()
        told.works()
        told.note(trouble("_SSL", "refused"), 101.0)
    assert [record.message for record in caplog.records] == [
        "kafka denies access",
        "kafka lets us in",
        "kafka denies access",
    ]


def test_a_denial_is_forgotten_when_it_is_repeated_no_more() -> None:
    told = reports()
    told.note(trouble("_AUTHENTICATION", "refused"), 100.0)
    assert told.denial(100.0 + FRESH_SECONDS) is not None
    assert told.denial(100.1 + FRESH_SECONDS) is None


def test_an_outage_is_no_denial() -> None:
    told = reports()
    told.note(trouble("_TRANSPORT", "away"), 100.0)
    assert told.denial(100.0) is None
