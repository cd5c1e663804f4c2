"""Holding back while the consumers are behind: the in-process broker loses what lies too long,
and a demonstration is not about waiting in line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from apps.demo.failure import Failed

# Events. The in-process broker keeps about 5 MB a partition; an event is below 0.5 kB.
MOST_BEHIND: Final = 3_000
INTERVAL: Final = 0.02  # seconds
PATIENCE: Final = 120.0  # seconds
NOTICE: Final = (
    "the broker keeps messages in memory only: sending waits while the consumers are more than "
    f"{MOST_BEHIND:,} events behind"
)


class NothingMoves(Failed):
    """The consumers do not catch up, and more would be lost."""


class Pacer:
    """Lets a sender pass while the lag is within its bound."""

    def __init__(self, lag: Callable[[], int]) -> None:
        self._lag = lag
        # One look at a time: each costs a query, and the senders need the same answer.
        self._lock = threading.Lock()
        self._pause = threading.Event()

    def wait(self) -> None:
        """Returns when the backlog is within bounds. Raises NothingMoves."""
        with self._lock:
            for _ in range(round(PATIENCE / INTERVAL)):
                if self._lag() <= MOST_BEHIND:
                    return
                self._pause.wait(INTERVAL)
        raise NothingMoves(f"the consumers stay over {MOST_BEHIND:,} events behind")
