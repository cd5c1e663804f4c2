"""How far each consumer is, by PostgreSQL's word, and waiting until all are done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from apps.contract.queues import Consumer
from apps.demo.database import Database, DatabaseUnavailable
from apps.demo.failure import Failed
from apps.demo.topic import Topic

PATIENCE: Final = 120.0  # seconds without any progress
INTERVAL: Final = 0.1  # seconds between two looks
_POSITIONS: Final = """
SELECT consumer, partition, next_offset FROM consumer_positions WHERE topic_id = %s
"""
Ends = Mapping[int, int]  # partition -> offset of the next message to be written


class StillBehind(Failed):
    """Some consumer has not applied everything in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Positions:
    """The consumers' positions on one topic.

    A position is moved in PostgreSQL after the chunks before it are committed, so a consumer at
    the end has applied or dead-lettered every message before it, repeated events included.
    """

    topic: Topic
    database: Database

    def behind(self, ends: Ends) -> dict[Consumer, int]:
        """For each consumer how many messages before `ends` it has not applied."""
        held = {
            (row[0], row[1]): row[2] for row in self.database.rows(_POSITIONS, str(self.topic.id))
        }
        return {
            consumer: sum(
                max(0, end - held.get((consumer.value, partition), 0))
                for partition, end in ends.items()
            )
            for consumer in Consumer
        }

    def lag(self) -> int:
        """Messages in the topic that the slowest consumer has not applied."""
        return max(self.behind(self.topic.ends()).values())


def wait_until_applied(
    behind: Callable[[], Mapping[Consumer, int]], patience: float = PATIENCE
) -> None:
    """Returns once no consumer is behind. Raises StillBehind, naming who is and by how much.

    Gives up after `patience` seconds in which no consumer got further: how long a backlog takes
    depends on its size and the machine, that it moves does not.
    """
    until = time.monotonic() + patience
    least: int | None = None
    pause = threading.Event()
    while True:
        try:
            found = behind()
        except DatabaseUnavailable as error:
            who = str(error)  # a restart of PostgreSQL ends; a longer absence is told in the end
        else:
            left, who = sum(found.values()), _names(found)
            if not left:
                return
            if least is None or left < least:
                least, until = left, time.monotonic() + patience
        if time.monotonic() > until:
            raise StillBehind(f"nothing moves for {patience:.0f} s; still behind: {who}")
        pause.wait(INTERVAL)


def _names(behind: Mapping[Consumer, int]) -> str:
    return ", ".join(f"{name} by {count:,} events" for name, count in behind.items() if count)
