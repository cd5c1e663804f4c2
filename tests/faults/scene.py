"""What a row's fault has in hand while a seed runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from gamemetrics.stack.processes import wait_until
from tests.faults.client import Client
from tests.faults.oracle import Excuse
from tests.faults.rig import Rig
from tests.faults.topic import Topic


@dataclass(kw_only=True)
class Scene:
    """One seed of one row. `notes` go into the result; `problems` fail it."""

    rig: Rig
    client: Client
    topic: Topic
    chance: Random
    notes: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    excuse: Excuse = field(default_factory=Excuse)
    after: list[Callable[[], None]] = field(default_factory=list)

    def last(self, low: float, high: float | None = None) -> float:
        """Let the fault last so many seconds, drawn from the seed."""
        seconds = low if high is None else self.chance.uniform(low, high)
        time.sleep(seconds)
        return seconds

    def require(self, condition: object, what: str) -> None:
        """The row expects this beyond what the oracle asks of every row."""
        if not condition:
            self.problems.append(what)

    def fire(self, point: str, *, times: int = 1, **rule: Any) -> None:
        """Have a failpoint fire, and fail the row where the work never came past it."""
        fired = self.rig.failpoints.fire(point, times=times, **rule)
        self.notes[point] = self.notes.get(point, 0) + fired
        self.require(fired == times, f"{point} fired {fired} times, not {times}")

    def until(self, condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
        """Wait for something that the row needs in order to go on."""
        self.require(wait_until(condition, seconds=seconds), f"not within {seconds:g} s: {what}")

    def finally_(self, check: Callable[[], None]) -> None:
        """Check this when all is drained."""
        self.after.append(check)
