"""What a worker takes from the broker is in its hands alone, and it gives back what it leaves."""

from __future__ import annotations

import tempfile
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from kombu import Connection
from kombu.asynchronous import Hub, set_event_loop

from bridge.task_message import Task, encode
from gamemetrics.broker import Transport
from gamemetrics.celery import app
from gamemetrics.stack.ports import HOST
from gamemetrics.task_events import SparingDispatcher
from tests.builders import NOW
from tests.redis_servers import run_redis

QUEUE = "stats"
MESSAGE = encode(Task(queue=QUEUE, name="stats.apply_chunk", fields={}, place="here"), NOW)


@pytest.fixture
def queues(redis_server: str) -> Iterator[Any]:
    """The broker, emptied."""
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()
        client = channel.client
        client.flushdb()
        yield client
        client.flushdb()


def held(connection: Any) -> Any:
    """A channel of a worker that has taken a message and not done it."""
    channel = connection.channel()
    assert channel.basic_get(QUEUE) is not None
    return channel


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_every_process_of_the_app_has_this_transport(scheme: str) -> None:
    assert Connection(f"{scheme}://{HOST}/0").get_transport_cls() is Transport


def test_the_broker_keeps_no_copy_of_a_message_that_was_taken(queues: Any) -> None:
    queues.lpush(QUEUE, MESSAGE)
    with app.connection_for_read() as connection:
        channel = held(connection)
        assert queues.keys("unacked*") == []
        channel.basic_ack(next(iter(channel.qos._delivered)))
    assert queues.llen(QUEUE) == 0


def test_a_stopping_worker_puts_back_what_it_holds(queues: Any) -> None:
    queues.lpush(QUEUE, MESSAGE)
    with app.connection_for_read() as connection:
        held(connection).close()
    again = msgspec.json.decode(queues.lindex(QUEUE, 0))
    assert again["properties"]["delivery_info"]["redelivered"]
    assert again["body"] == msgspec.json.decode(MESSAGE)["body"]


def test_a_worker_whose_broker_is_gone_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    options = {"socket_connect_timeout": 1}
    with run_redis() as port:
        with redis.Redis(host=HOST, port=port) as client:
            client.lpush(QUEUE, MESSAGE)
        channel = held(Connection(f"redis://{HOST}:{port}/0", transport_options=options))
    channel.close()
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_the_events_of_many_tasks_are_published_together(queues: Any) -> None:
    hub = Hub()
    set_event_loop(hub)
    with app.connection_for_write() as connection, queues.pubsub() as watcher:
        watcher.psubscribe("*task*")
        assert watcher.get_message(timeout=5)["type"] == "psubscribe"
        dispatcher = app.events.Dispatcher(
            connection, "stats@here", buffer_group=["task"], on_send_buffered=lambda: None
        )
        assert isinstance(dispatcher, SparingDispatcher)
        for number in range(3):
            dispatcher.send("task-received", uuid=str(number))
        (timer,) = hub.timer.queue
        timer.entry()
        published = msgspec.json.decode(watcher.get_message(timeout=5)["data"])
        assert watcher.get_message(timeout=0.1) is None
    set_event_loop(None)
    events = msgspec.json.decode(b64decode(published["body"]))
    assert [event["uuid"] for event in events] == ["0", "1", "2"]
