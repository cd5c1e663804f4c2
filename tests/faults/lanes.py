"""Several rows at a time: each lane is a process of its own with a rig of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.faults.row import Row
from tests.faults.seed_run import Outcome

# For the rig of a lane that is told to end.
END_SECONDS: Final = 90.0


@dataclass(kw_only=True)
class Lanes:
    """Runs whole rows, the longest first, so that the lanes end at about the same time."""

    count: int
    arguments: Sequence[str]  # of every row's process: seeds and events
    tell: Callable[[str], None]
    keep: Callable[[Outcome], None]
    _waiting: list[Row] = field(default_factory=list)
    _running: list[subprocess.Popen[str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rows(self, rows: Sequence[Row]) -> None:
        """Run them all; ends what runs if it is interrupted."""
        self._waiting = sorted(rows, key=lambda row: row.seconds)
        threads = [threading.Thread(target=self._lane, daemon=True) for _ in range(self.count)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._end()

    def _lane(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            while (row := self._next()) is not None:
                self._row(row, Path(directory) / "outcomes.json")

    def _next(self) -> Row | None:
        with self._lock:
            return self._waiting.pop() if self._waiting else None

    def _row(self, row: Row, results: Path) -> None:
        results.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.faults", "--row", row.number, *self.arguments]
        with self._lock:
            process = subprocess.Popen(
                [*command, "--results", str(results)],
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self._running.append(process)
        assert process.stdout is not None
        kept = 0
        for text in process.stdout:
            # The row's own table says nothing that ours does not.
            if text.startswith(("[", "    ")):
                self.tell(f"{row.number:>4} {text.rstrip()}")
            kept = self._keep(results, kept)
        if process.wait() not in (0, 1):
            self.tell(f"{row.number:>4} ended with {process.returncode}")
        if not self._keep(results, kept):
            problem = f"ended with {process.returncode} before any outcome"
            self.keep(Outcome(row=row.number, seed=0, events=0, problems=[problem]))
        with self._lock:
            self._running.remove(process)

    def _keep(self, results: Path, kept: int) -> int:
        """Pass on what has come to the file since; how many are passed on by now."""
        outcomes = read(results)
        with self._lock:
            for outcome in outcomes[kept:]:
                self.keep(outcome)
        return len(outcomes)

    def _end(self) -> None:
        with self._lock:
            self._waiting.clear()
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            process.wait(END_SECONDS)


def read(results: Path) -> list[Outcome]:
    """The outcomes that `report.save` wrote; none where there is no such file yet."""
    if not results.exists():
        return []
    found: list[dict[str, Any]] = json.loads(results.read_text())["outcomes"]
    names = {field.name for field in fields(Outcome)}
    return [Outcome(**{k: v for k, v in one.items() if k in names}) for one in found]
