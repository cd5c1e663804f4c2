"""What a run shows while it compares: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from apps.operations.steps import Display

LINE_EVERY: Final = 2.0  # seconds, where there is no terminal


class Lines:
    """For files, pipes and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title, self._total, self._done = "", 0, 0
        self._began = self._shown = 0.0

    def begin(self, title: str, total: int) -> None:
        self._title, self._total, self._done = title, total, 0
        self._began = self._shown = time.monotonic()

    def advance(self, items: int) -> None:
        self._done += items
        if time.monotonic() - self._shown >= LINE_EVERY:
            self._shown = time.monotonic()
            self._show(f"of about {self._total:,}")

    def end(self) -> None:
        self._show("done")

    def _show(self, note: str) -> None:
        seconds = max(time.monotonic() - self._began, 0.001)
        self._console.print(
            f"  {self._title:<34} {self._done:>11,} {note}"
            f"  {seconds:.1f} s  {self._done / seconds:,.0f}/s",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


class Bar:
    """For a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._began, self._done = 0.0, 0

    def begin(self, title: str, total: int) -> None:
        self._began, self._done = time.monotonic(), 0
        self._progress = Progress(
            TextColumn("  {task.description:<34}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:>11,.0f}"),
            TextColumn("{task.fields[rate]:>9,.0f}/s"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task(title, total=max(total, 1), rate=0.0)
        self._progress.start()

    def advance(self, items: int) -> None:
        self._done += items
        if self._progress is not None:
            rate = self._done / max(time.monotonic() - self._began, 0.001)
            self._progress.update(self._task, completed=self._done, rate=rate)

    def end(self) -> None:
        if self._progress is not None:
            # The total was an estimate.
            self._progress.update(self._task, total=max(self._done, 1))
            self._progress.stop()


def display(console: Console) -> Display:
    return Bar(console) if console.is_terminal else Lines(console)
