"""What one row came to, as the table and the result file have it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from tests.bench.memory import Memory
from tests.bench.probe import Probe

# Where the events of a rate come in, as its row's name has it and as a reader is told.
ENTRIES: Final = {"kafka": "Kafka", "http": "HTTP"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantiles:
    """Of `count` values, in ms, each the nearest rank: a value that was measured."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Quantiles:
        """Raises ValueError where there are none."""
        if not seconds:
            raise ValueError("no values")
        ordered = array("d", sorted(seconds))

        def rank(share: float) -> float:
            return round(ordered[ceil(len(ordered) * share) - 1] * 1000, 3)

        return cls(
            count=len(ordered),
            p50=rank(0.50),
            p95=rank(0.95),
            p99=rank(0.99),
            max=rank(1.0),
        )


@dataclass(kw_only=True, slots=True)
class Figures:
    """One row. CPU is in microseconds an event, or a request where the row has no events.

    `latency` is by what was reached (`committed`, `readable`) and by consumer, `all` being the
    last of the three for each event. `backlog` is how many seconds after the last event was due
    the last consumer was done. `wal` is bytes of WAL an event. `foreign` is how many cores were
    busy with what is not ours, and `probe` how fast the machine was just before the row.
    """

    row: str
    kind: str
    offered: float | None = None
    events: int = 0
    seconds: float = 0.0
    done: float = 0.0
    latency: dict[str, dict[str, Quantiles]] = field(default_factory=dict)
    backlog: float | None = None
    sustained: bool | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)
    wal: float | None = None
    foreign: float | None = None
    probe: Probe | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    took: float = 0.0

    @property
    def cpu_total(self) -> float:
        """Of all groups that do the work: without generator and observer."""
        return sum(self.cpu.values())

    def charge(self, seconds: Mapping[str, float], units: int) -> None:
        """Divide CPU seconds by the events; what only measures is kept beside."""
        for name, used in seconds.items():
            share = round(used / units * 1e6, 2) if units else 0.0
            if name in BESIDE:
                self.beside[name] = share
            else:
                self.cpu[name] = share


BESIDE = frozenset({"generator", "observer", "harness"})
