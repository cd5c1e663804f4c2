"""An open loop: batches fall due by the clock, however long the answers take."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from apps.demo.stream import Batch

# Batches that wait for a free connection. Beyond it the loop is no longer open: memory is bounded,
# and the run says that fewer events were offered than asked.
MOST_WAITING: Final = 400
PATIENCE: Final = 0.5  # seconds between two looks whether to stop


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How many events, how fast, in which portions."""

    rate: int  # events a second
    seconds: int
    batch: int

    @property
    def events(self) -> int:
        return self.rate * self.seconds

    def sizes(self) -> Iterator[tuple[float, int]]:
        """(seconds after the start, events) of each batch; the events add up to `events`."""
        for first in range(0, self.events, self.batch):
            yield first / self.rate, min(self.batch, self.events - first)


class Schedule:
    """One maker of batches, and lanes that take them when they are due."""

    def __init__(
        self, plan: Plan, make: Callable[[int, float], Batch], stop: threading.Event
    ) -> None:
        self._plan = plan
        self._make = make
        self._stop = stop
        self._due: queue.Queue[Batch | None] = queue.Queue(MOST_WAITING)
        self.offered = 0
        self.offering_seconds = 0.0

    def run(self) -> None:
        """Makes each batch ahead of its time and hands it out when it is due; then ends."""
        began = time.monotonic()
        try:
            for after, size in self._plan.sizes():
                due = began + after
                batch = self._make(size, due)
                if self._stop.wait(max(0.0, due - time.monotonic())) or not self._put(batch):
                    return
                self.offered += size
            # The last batch stands for its own share of the time.
            self._stop.wait(max(0.0, began + self._plan.seconds - time.monotonic()))
        finally:
            self.offering_seconds = time.monotonic() - began
            self._put(None)

    def lane(self) -> Iterator[Batch]:
        """Batches as they fall due, shared with the other lanes, until the last or `stop`."""
        while not self._stop.is_set():
            try:
                batch = self._due.get(timeout=PATIENCE)
            except queue.Empty:
                continue
            if batch is None:
                # For the lane beside this one.
                self._put(None)
                return
            yield batch

    def _put(self, item: Batch | None) -> bool:
        while not self._stop.is_set():
            try:
                self._due.put(item, timeout=PATIENCE)
            except queue.Full:
                continue
            return True
        return False
