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


# What the bridge refuses before any consumer sees it is dead-lettered under this name.
BRIDGE = "bridge"
