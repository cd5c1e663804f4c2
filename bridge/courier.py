"""Chunks and dead letters to the consumers' queues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from celery import Celery
from kombu.exceptions import KombuError
from redis import Redis, RedisError

from apps.contract.chunk import Chunk, to_message
from apps.contract.queues import Consumer
from apps.contract.seal import sealed
from bridge.task_message import Task, encode


class CourierUnavailable(Exception):
    """The broker takes no messages."""


# What shares one message of a consumer's queue.
Message = tuple[Consumer, Sequence[Chunk]]


class Courier(Protocol):
    """Carries chunks and dead letters; may lose or double them."""

    def send(self, messages: Sequence[Message]) -> None:
        """Publish each message to its consumer's queue.

        Raises CourierUnavailable; any of them may have been published then.
        """

    def send_letters(self, consumer: Consumer, letters: Sequence[int]) -> None:
        """Publish ids of dead letters for the consumer to replay. Raises CourierUnavailable."""

    def depths(self) -> dict[Consumer, int]:
        """Messages waiting in each queue. Raises CourierUnavailable."""


class CeleryCourier:
    """The shared Celery app's broker as courier; it needs no Django."""

    def __init__(self, app: Celery, *, signing_key: str) -> None:
        self._app = app
        self._signing_key = signing_key
        self._connection: Any = None
        self._client: Redis | None = None

    def send(self, messages: Sequence[Message]) -> None:
        self._publish(
            Task(
                queue=consumer.queue,
                name=consumer.task,
                fields=sealed(to_message(chunks), consumer, self._signing_key),
                place=", ".join(
                    f"{chunk.partition} [{chunk.first_offset}, {chunk.next_offset})"
                    for chunk in chunks
                ),
            )
            for consumer, chunks in messages
        )

    def send_letters(self, consumer: Consumer, letters: Sequence[int]) -> None:
        task = Task(
            queue=consumer.queue,
            name=consumer.replay_task,
            fields=sealed({"letters": list(letters)}, consumer, self._signing_key),
            place=f"letters {letters[0]} to {letters[-1]}",
        )
        self._publish([task])

    def _publish(self, tasks: Iterable[Task]) -> None:
        """All in one round trip."""
        now = datetime.now(UTC)
        try:
            with self._broker().pipeline(transaction=False) as pipe:
                for task in tasks:
                    pipe.lpush(task.queue, encode(task, now))
                pipe.execute()
        except (KombuError, RedisError, OSError) as error:
            raise CourierUnavailable(str(error)) from error

    def depths(self) -> dict[Consumer, int]:
        try:
            with self._broker().pipeline(transaction=False) as pipe:
                for consumer in Consumer:
                    pipe.llen(consumer.queue)
                return dict(zip(Consumer, pipe.execute(), strict=True))
        except (KombuError, RedisError, OSError) as error:
            raise CourierUnavailable(str(error)) from error

    def _broker(self) -> Redis:
        """The client that kombu makes for the broker, with its login, TLS and time-outs.

        It is made once, and connects anew by itself.
        """
        if self._client is None:
            # Held, since a connection that nobody holds closes its channels.
            self._connection = self._app.connection_for_write()
            with self._connection.channel().conn_or_acquire() as client:
                self._client = client
        return self._client
