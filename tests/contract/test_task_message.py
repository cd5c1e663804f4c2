"""What the bridge puts on a queue is what Celery would have put there, and kombu takes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from apps.contract.chunk import WORTH_PACKING, from_message
from apps.contract.queues import Consumer
from apps.contract.seal import sealed, unsealed
from bridge.courier import CeleryCourier
from bridge.task_message import EXPIRES, Task, encode
from gamemetrics.celery import app
from tests.builders import chunk, points_of_the_cast, refused

KEY = "k" * 32
NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
FIELDS = {"letters": [1, 2]}
SMALL = chunk(points_of_the_cast(1))
LARGE = chunk(points_of_the_cast(40), refused=[refused(40, bytes(range(256)))])


@pytest.fixture
def broker(redis_server: str) -> Iterator[Any]:
    """A channel to the broker, whose queues are empty."""
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()
        for consumer in Consumer:
            channel.client.delete(consumer.queue)
        yield channel


def taken(broker: Any, consumer: Consumer) -> Any:
    """The oldest message of the queue, as a worker is handed it."""
    with app.amqp.TaskConsumer(broker, queues=[]) as worker:
        message = broker.basic_get(consumer.queue)
        message.accept = worker.accept
        return message


def test_it_has_the_headers_and_the_body_of_celerys_own(broker: Any) -> None:
    ours = msgspec.json.decode(
        encode(Task(queue="stats", name="stats.replay_letters", fields=FIELDS, place="here"), NOW)
    )
    task_id = ours["headers"]["id"]
    own: Any = app.amqp.as_task_v2(
        *(task_id, "stats.replay_letters"),
        kwargs=FIELDS,
        expires=EXPIRES.total_seconds(),
        now=NOW,
        ignore_result=True,
        argsrepr="()",
        kwargsrepr="here",
    )
    assert ours["headers"] == own.headers
    assert ours["properties"].items() >= own.properties.items()
    assert msgspec.json.decode(ours["body"]) == [list(own.body[0]), *own.body[1:]]
    with app.producer_pool.acquire(block=True) as producer:
        producer.publish(own.body, routing_key="stats", headers=own.headers, **own.properties)
    published = msgspec.json.decode(broker.client.rpop("stats"))
    assert ours.keys() == published.keys()
    assert ours["properties"].keys() == published["properties"].keys() - {"body_encoding"}
    assert (ours["content-type"], ours["content-encoding"]) == ("application/json", "utf-8")


def test_a_message_that_nobody_takes_expires() -> None:
    task = Task(queue="stats", name="stats.apply_chunk", fields=FIELDS, place="here")
    headers = msgspec.json.decode(encode(task, NOW))["headers"]
    assert datetime.fromisoformat(headers["expires"]) == NOW + timedelta(minutes=10)


@pytest.mark.parametrize("sent", [SMALL, LARGE], ids=["small", "large"])
def test_a_worker_is_handed_the_chunk_that_was_sent(broker: Any, sent: Any) -> None:
    CeleryCourier(app, signing_key=KEY).send([(consumer, [sent]) for consumer in Consumer])
    for consumer in Consumer:
        message = taken(broker, consumer)
        assert message.headers["task"] == consumer.task
        assert message.delivery_info["routing_key"] == consumer.queue
        arguments, fields, _ = message.decode()
        assert arguments == []
        assert from_message(unsealed(fields, consumer, KEY)) == [sent]
        assert ("packed" in fields) == (len(sent.records) >= WORTH_PACKING)


def test_a_message_of_the_release_before_is_read(broker: Any) -> None:
    """It bore the records as text, and was published by `send_task`, in base64."""
    fields = sealed(msgspec.to_builtins(LARGE), Consumer.STATS, KEY)
    app.send_task(Consumer.STATS.task, kwargs=fields, queue=Consumer.STATS.queue)
    _, arrived, _ = taken(broker, Consumer.STATS).decode()
    assert from_message(unsealed(arrived, Consumer.STATS, KEY)) == [LARGE]


def test_the_depths_are_those_of_the_queues(broker: Any) -> None:
    courier = CeleryCourier(app, signing_key=KEY)
    courier.send([(Consumer.STATS, [SMALL, LARGE]), (Consumer.STATS, [LARGE])])
    courier.send_letters(Consumer.LOGGING, [1, 2])
    assert courier.depths() == {
        Consumer.LOGGING: 1,
        Consumer.STATS: 2,
        Consumer.LEADERBOARDS: 0,
    }
    assert taken(broker, Consumer.LOGGING).decode()[1]["letters"] == [1, 2]
