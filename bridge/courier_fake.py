"""A courier that loses, doubles and reorders, by a seed: no broker is worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from apps.contract.queues import Consumer
from bridge.courier import CourierUnavailable, Message


@dataclass(kw_only=True, slots=True)
class FaultyCourier:
    """Holds messages until they are fetched; each rate is a probability."""

    random: Random
    lost: float = 0.0
    doubled: float = 0.0
    refused: float = 0.0
    waiting: list[Message] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    letters: list[tuple[Consumer, list[int]]] = field(default_factory=list)

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            # Those before it are published all the same.
            if self.random.random() < self.refused:
                raise CourierUnavailable("the broker takes no messages")
            self.sent.append(message)
            if self.random.random() < self.lost:
                continue
            self.waiting += [message] * (2 if self.random.random() < self.doubled else 1)

    def send_letters(self, consumer: Consumer, letters: Sequence[int]) -> None:
        if self.random.random() < self.refused:
            raise CourierUnavailable("the broker takes no messages")
        if self.random.random() >= self.lost:
            self.letters += [(consumer, list(letters))] * (
                2 if self.random.random() < self.doubled else 1
            )

    def depths(self) -> dict[Consumer, int]:
        waiting = Counter(consumer for consumer, _ in self.waiting)
        return {consumer: waiting[consumer] for consumer in Consumer}

    def fetch(self) -> Message | None:
        """Any of the waiting messages, in no order."""
        if not self.waiting:
            return None
        return self.waiting.pop(self.random.randrange(len(self.waiting)))
