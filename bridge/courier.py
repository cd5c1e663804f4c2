"""Chunks and dead letters to the consumers' queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from celery import Celery
from kombu.exceptions import OperationalError
from redis import RedisError

from apps.contract.chunk import Chunk, to_message
from apps.contract.queues import Consumer
from apps.contract.seal import sealed

# A copy that nobody took for so long has long been published again.
EXPIRES: Final = 600  # seconds


class CourierUnavailable(Exception):
    """The broker takes no messages."""


class Courier(Protocol):
    """Carries chunks and dead letters; may lose or double them."""

    def send(self, consumer: Consumer, chunk: Chunk) -> None:
        """Publish the chunk to the consumer's queue. Raises CourierUnavailable."""

    def send_letters(self, consumer: Consumer, letters: Sequence[int]) -> None:
        """Publish ids of dead letters for the consumer to replay. Raises CourierUnavailable."""

    def depths(self) -> dict[Consumer, int]:
        """Messages waiting in each queue. Raises CourierUnavailable."""


class CeleryCourier:
    """The shared Celery app as courier; it needs no Django."""

    def __init__(self, app: Celery, *, signing_key: str) -> None:
        self._app = app
        self._signing_key = signing_key

    def send(self, consumer: Consumer, chunk: Chunk) -> None:
        place = f"{chunk.partition} [{chunk.first_offset}, {chunk.next_offset})"
        self._publish(consumer, consumer.task, to_message(chunk), place)

    def send_letters(self, consumer: Consumer, letters: Sequence[int]) -> None:
        place = f"letters {letters[0]} to {letters[-1]}"
        self._publish(consumer, consumer.replay_task, {"letters": list(letters)}, place)

    def _publish(self, consumer: Consumer, task: str, message: dict[str, Any], place: str) -> None:
        try:
            self._app.send_task(
                task,
                kwargs=sealed(message, consumer, self._signing_key),
                queue=consumer.queue,
                expires=EXPIRES,
                # Flower and logs show where the work lies, never the players' data.
                argsrepr="()",
                kwargsrepr=place,
            )
        except (OperationalError, RedisError, OSError) as error:
            raise CourierUnavailable(str(error)) from error

    def depths(self) -> dict[Consumer, int]:
        try:
            with self._app.connection_or_acquire() as connection:
                channel: Any = connection.default_channel  # the Redis transport's own
                client = channel.client
                return {consumer: client.llen(consumer.queue) for consumer in Consumer}
        except (OperationalError, RedisError, OSError) as error:
            raise CourierUnavailable(str(error)) from error
