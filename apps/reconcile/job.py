"""A run, as its parts see it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from apps.operations.steps import Display, step
from apps.reconcile import selectors
from apps.reconcile.findings import Scope
from apps.reconcile.report import Report
from apps.reconcile.topic import KafkaUnavailable, Topic

# Seconds without progress of the consumers, after which they are called stuck.
PATIENCE: Final = 60.0
_LOOK: Final = 0.1  # seconds between two looks


class ConsumersBehind(Exception):
    """What was accepted before is not applied yet: it cannot be told from what is lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What to compare, whether to repair, and where to tell. `topic` is None without Kafka."""

    scope: Scope
    repair: bool
    report: Report
    display: Display
    topic: Topic | None
    patience: float = PATIENCE

    def kafka(self) -> Topic:
        """Raises KafkaUnavailable."""
        if self.topic is None:
            raise KafkaUnavailable("Kafka did not answer at the start")
        return self.topic

    def settle(self) -> None:
        """Wait until all that Kafka holds now is applied. Raises ConsumersBehind.

        What differed before and is still different afterwards was not in flight. Gives up after
        `patience` seconds in which no position moved: a backlog may take longer.
        """
        topic = self.kafka()
        ends = {number: held.high for number, held in topic.retained().items()}
        left = least = selectors.behind(topic.id, ends)
        until = time.monotonic() + self.patience
        with step(self.display, "waiting for what is in flight", left):
            while left:
                if time.monotonic() > until:
                    raise ConsumersBehind(
                        f"the consumers are {left:,} offsets behind and do not move"
                    )
                time.sleep(_LOOK)
                left = selectors.behind(topic.id, ends)
                if left < least:
                    self.display.advance(least - left)
                    least, until = left, time.monotonic() + self.patience
