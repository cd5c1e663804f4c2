"""From due to committed and to readable, joined by offset after the row is over."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import TopicPartition

from apps.contract.queues import Consumer
from tests.bench.events import due_of
from tests.bench.figures import Quantiles
from tests.bench.observer import Seen

Offsets = Mapping[int, int]
SILENCE = 20.0  # seconds without a message, after which none comes any more


class TopicShort(Exception):
    """The topic did not give all its messages."""


def read_dues(servers: str, topic: str, starts: Offsets, ends: Offsets) -> dict[int, array[float]]:
    """When each message of `[start, end)` was due, by partition. Raises TopicShort."""
    found = {part: array("d", bytes(8 * (ends[part] - starts[part]))) for part in ends}
    left = sum(map(len, found.values()))
    consumer = KafkaConsumer(
        {
            "bootstrap.servers": servers,
            "group.id": "bench-readback",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, part, starts[part]) for part in ends])
        deadline = time.monotonic() + SILENCE
        while left > 0:
            # It waits for all of the number or for the time.
            messages = consumer.consume(10_000, timeout=0.1)
            if messages:
                deadline = time.monotonic() + SILENCE
            elif time.monotonic() > deadline:
                raise TopicShort(f"{left} messages of {topic} did not come")
            for message in messages:
                part, offset = message.partition() or 0, message.offset() or 0
                place = offset - starts[part]
                if message.error() is None and place < len(found[part]):
                    found[part][place] = due_of(message.value() or b"")
                    left -= 1
    finally:
        consumer.close()
    return found


@dataclass(kw_only=True)
class Join:
    """The moments of every offset, by consumer and partition."""

    starts: Offsets
    dues: Mapping[int, array[float]]
    committed: dict[Consumer, dict[int, array[float]]] = field(init=False)
    cached: dict[Consumer, dict[int, array[float]]] = field(init=False)

    def __post_init__(self) -> None:
        self.committed = {consumer: self._nowhere() for consumer in Consumer}
        self.cached = {consumer: self._nowhere() for consumer in Consumer}

    def _nowhere(self) -> dict[int, array[float]]:
        return {part: array("d", bytes(8 * len(dues))) for part, dues in self.dues.items()}

    def take(self, chunks: Iterable[Seen]) -> None:
        for chunk in chunks:
            consumer, part = Consumer(chunk.consumer), chunk.partition
            first = max(0, chunk.first_offset - self.starts[part])
            following = min(chunk.next_offset - self.starts[part], len(self.dues[part]))
            size = following - first
            if size <= 0:
                continue
            places = slice(first, following)
            self.committed[consumer][part][places] = array("d", [chunk.committed_at]) * size
            self.cached[consumer][part][places] = array("d", [chunk.cached_at]) * size

    def missing(self) -> int:
        """Offsets that some consumer was not seen to commit."""
        return sum(
            times.count(0.0) for parts in self.committed.values() for times in parts.values()
        )

    def quantiles(self) -> dict[str, dict[str, Quantiles]]:
        """`committed` and `readable` by consumer, and of the last of the three.

        The log is read from PostgreSQL alone, so `readable` has no entry for it.
        """
        readable = [Consumer.STATS, Consumer.LEADERBOARDS]
        return {
            "committed": self._quantiles(self.committed, list(Consumer)),
            "readable": self._quantiles(self.cached, readable),
        }

    def _quantiles(
        self, moments: Mapping[Consumer, Mapping[int, array[float]]], consumers: list[Consumer]
    ) -> dict[str, Quantiles]:
        found = {
            consumer.value: Quantiles.of(self._after_due(moments[consumer]))
            for consumer in consumers
        }
        last = {
            part: array("d", map(max, *(moments[consumer][part] for consumer in consumers)))
            for part in self.dues
        }
        found["all"] = Quantiles.of(self._after_due(last))
        return found

    def _after_due(self, moments: Mapping[int, array[float]]) -> array[float]:
        values = array("d")
        for part, dues in self.dues.items():
            values.extend(at - due for at, due in zip(moments[part], dues, strict=True) if due)
        return values
