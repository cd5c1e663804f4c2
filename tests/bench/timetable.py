"""When each event of an open loop is due: fixed by the rate before the first is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class Timetable:
    """`rate` in events a second, 0: all at once. The events of a `batch` are due together.

    `starts_at` in seconds since 1970. Where requests are sent, each is an event here.
    """

    events: int
    rate: float
    batch: int = 1
    starts_at: float = 0.0

    def due(self, number: int) -> float:
        """When the event of this number, from 0 on, is due."""
        since = number // self.batch * self.batch / self.rate if self.rate else 0.0
        return self.starts_at + since

    def due_by(self, now: float) -> int:
        """How many events are due at `now`, none of them early; the last of all included."""
        if now < self.starts_at:
            return 0
        if not self.rate:
            return self.events
        reached = int((now - self.starts_at) * self.rate / self.batch) * self.batch
        # A quotient may fall short of the whole number that it stands for.
        if self.due(reached + self.batch) <= now:
            reached += self.batch
        return min(self.events, reached + self.batch)
