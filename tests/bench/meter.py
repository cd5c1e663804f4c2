"""What a stretch of time cost: CPU by process group, WAL, memory at its end; who else was busy."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.bench import cpu, database, memory
from tests.bench.figures import Figures
from tests.bench.rig import Rig


@dataclass(kw_only=True)
class Meter:
    """Counts from `mark` to `read`. `observer` and `backend` are pids, 0 where there is none."""

    rig: Rig
    observer: int = 0
    backend: int = 0
    cpu: dict[str, float] = field(default_factory=dict)
    memory: list[memory.Memory] = field(default_factory=list)
    wal: int = 0
    foreign: float = 0.0
    marked_at: float = 0.0
    _before: dict[str, float] = field(default_factory=dict)
    _busy: float = 0.0
    _wal_before: int = 0

    def mark(self) -> None:
        """CPU and WAL count from now on."""
        self._wal_before = database.wal_bytes(self.rig.postgres)
        self.marked_at, self._before, self._busy = time.time(), self._used(), cpu.machine_busy()

    def read(self, *, generator: float) -> None:
        """They count until now; `generator` is what that process says of itself, in CPU seconds."""
        after, busy, seconds = self._used(), cpu.machine_busy(), time.time() - self.marked_at
        self.wal = database.wal_bytes(self.rig.postgres) - self._wal_before
        self.memory = memory.by_process(self.rig.roots())
        self.cpu = {**cpu.difference(self._before, after), "generator": generator}
        self.foreign = max(0.0, (busy - self._busy - sum(self.cpu.values())) / seconds)

    def write(self, figures: Figures, units: int) -> None:
        """What a row's figures take from here; CPU by `units` events or requests."""
        figures.charge(self.cpu, units)
        figures.memory, figures.foreign = self.memory, round(self.foreign, 3)
        figures.wal = round(self.wal / units) if units else None

    def _used(self) -> dict[str, float]:
        roots = self.rig.roots()
        if self.observer:
            roots["observer"] = self.observer
        return {**cpu.by_group(roots, {self.backend: "observer"}), "harness": cpu.own()}
