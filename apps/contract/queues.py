"""The routing contract: which consumer has which queue and which task."""

from __future__ import annotations

from enum import StrEnum


class Consumer(StrEnum):
    """A consumer applies every event once; its queue bears its name."""

    LOGGING = "logging"
    STATS = "stats"
    LEADERBOARDS = "leaderboards"

    @property
    def queue(self) -> str:
        return self.value

    @property
    def task(self) -> str:
        return f"{self.value}.apply_chunk"

    @property
    def replay_task(self) -> str:
        return f"{self.value}.replay_letters"


# What the bridge refuses before any consumer sees it is dead-lettered under this name.
BRIDGE = "bridge"


def replaying(consumer_service: str) -> Consumer:
    """Whose worker replays the dead letters of this name.

    A refused message that was mended enters at the log, which then hands it to the others.
    """
    return Consumer.LOGGING if consumer_service == BRIDGE else Consumer(consumer_service)
