"""What a process of a peer is told to do, and how it says that it is ready and done."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message

VARIABLE: Final = "PEER_ORDER"


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One job of a peer. `ranges` are the `[first, next)` offsets of the messages by partition."""

    job: str
    servers: str
    topic: str
    group: str
    database: str
    ranges: dict[int, tuple[int, int]]

    @property
    def messages(self) -> int:
        return sum(following - first for first, following in self.ranges.values())

    def holds(self, message: Message) -> bool:
        """Whether it is one of those that are asked for. Raises KafkaException for an error."""
        if message.error() is not None:
            raise KafkaException(message.error())
        partition, offset = message.partition(), message.offset()
        assert partition is not None and offset is not None
        first, following = self.ranges[partition]
        return first <= offset < following

    def consumer(self) -> Consumer:
        """In the order's group; what is stored is sent to Kafka every 5 s, and at the end."""
        return Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": self.group,
                "auto.offset.reset": "earliest",
                "enable.auto.offset.store": False,
            }
        )

    def environ(self) -> dict[str, str]:
        """The variable that carries the order: not an argument, for it has a password."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def of_process(cls) -> Order:
        """The order that this process was started with."""
        told: dict[str, Any] = json.loads(os.environ[VARIABLE])
        ranges = {int(partition): (a, b) for partition, (a, b) in told.pop("ranges").items()}
        return cls(ranges=ranges, **told)


def work_in_batches(
    order: Order,
    connection: Any,
    apply: Callable[[Any, Sequence[Message]], None],
    *,
    most: int,
    linger: float,
) -> None:
    """Apply every message, up to `most` of them in a transaction; `connection` is closed after.

    `linger`: seconds that a batch may wait for its last message.
    """
    clock, left = Clock(), order.messages
    consumer = order.consumer()
    clock.wait_for_go()
    consumer.subscribe([order.topic])
    while left:
        polled = consumer.consume(most, timeout=linger)
        messages = [message for message in polled if order.holds(message)]
        if not messages:
            continue
        clock.first()
        with connection, connection.cursor() as cursor:
            apply(cursor, messages)
        for message in messages:
            consumer.store_offsets(message)
        left -= len(messages)
    clock.done()
    consumer.close()
    connection.close()


@dataclass(kw_only=True, slots=True)
class Clock:
    """When the work began and ended, in `time.monotonic` seconds, which all processes share."""

    began: float = 0.0

    def wait_for_go(self) -> None:
        """Tell that all is imported and connected; returns when every process of the peer is."""
        print("ready", flush=True)
        sys.stdin.readline()

    def first(self) -> None:
        """The first message is here."""
        self.began = self.began or time.monotonic()

    def done(self, at: float | None = None) -> None:
        """The last commit is made: now, or `at`."""
        ended = time.monotonic() if at is None else at
        print(json.dumps({"began": self.began, "ended": ended}), flush=True)
