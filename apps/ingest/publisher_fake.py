"""Kafka in memory, for tests and dry runs; it passes the same contract suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException

from apps.contract.envelope import Event


@dataclass(kw_only=True, slots=True)
class MemoryPublisher:
    """Confirms every event, or none while it is `away`."""

    published: list[Event] = field(default_factory=list)
    away: bool = False

    def publish(self, events: Sequence[Event]) -> list[str | None]:
        if self.away:
            return ["the broker is away"] * len(events)
        self.published += events
        return [None] * len(events)

    def ping(self, seconds: float) -> None:
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "the broker is away"))
