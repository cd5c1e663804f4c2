"""`make up` beside a Kafka that demands TLS, users and ACLs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import httpx
import pytest

from tests.acceptance.waiting import until
from tests.secured_kafka import GROUP, SecuredKafka, User
from tests.services import Stack, discard, new_stack


@pytest.fixture
def unstarted() -> Iterator[Stack]:
    stack = new_stack()
    yield stack
    discard(stack.dir)


def beside(stack: Stack, settings: Mapping[str, str]) -> Stack:
    """The stack with the settings of a Kafka that is there already."""
    return Stack(environ={**stack.environ, **settings})


def test_the_stack_works_as_a_user_of_one_topic(
    secured_kafka: SecuredKafka, unstarted: Stack
) -> None:
    user = secured_kafka.store(User(name="stack"))
    secured_kafka.allow_writing(user)
    secured_kafka.allow_reading(user)
    stack = beside(unstarted, secured_kafka.settings(user))
    started = stack.command("up")
    assert started.returncode == 0, started.stdout + started.stderr
    event = {
        "event_type": "test", "player_id": "bo", "game_id": "stack",
        "timestamp": "2024-01-15T10:00:00Z",
    }  # fmt: skip
    url = unstarted.url
    sent = httpx.post(f"{url}/api/v1/events", json=event, timeout=30, trust_env=False)
    assert sent.status_code == 202, sent.text
    path = f"{url}/api/v1/players/bo/stats?game_id=stack"
    until(
        lambda: httpx.get(path, timeout=30, trust_env=False).status_code == 200,
        "the statistics have the event",
    )
    assert unstarted.env["KAFKA_GROUP_ID"] == GROUP


def test_the_stack_makes_a_missing_topic_for_an_administrator(
    secured_kafka: SecuredKafka, unstarted: Stack
) -> None:
    settings = secured_kafka.settings(secured_kafka.administrator, KAFKA_TOPIC="made.by.the.stack")
    started = beside(unstarted, settings).command("up", "--only", "kafka")
    assert started.returncode == 0, started.stdout + started.stderr
    assert "made.by.the.stack" in secured_kafka.admin.list_topics(timeout=10).topics


def test_a_stack_with_a_wrong_password_does_not_start_and_says_why(
    secured_kafka: SecuredKafka, unstarted: Stack
) -> None:
    stranger = User(name="nobody", password="a-wrong-password")
    stack = beside(unstarted, secured_kafka.settings(stranger))
    refused = stack.command("up", "--only", "kafka")
    assert refused.returncode == 1
    assert "KAFKA_PASSWORD" in refused.stderr
    assert "SASL authentication error" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert stranger.password not in refused.stderr + refused.stdout
