"""What a run shows while it works: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from apps.demo.failure import Failed

LINE_EVERY: Final = 2.0  # seconds, where there is no terminal
BAR_EVERY: Final = 0.25  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A moment of the run; the lag is None while it cannot be told."""

    done: int
    lag: int | None


class Display(Protocol):
    """Where samples are shown."""

    every: float

    def show(self, sample: Sample) -> None:
        """Show the newest sample."""

    def close(self) -> None:
        """The last sample was shown."""


class Lines:
    """For files, pipes and CI."""

    every = LINE_EVERY

    def __init__(self, console: Console, title: str, total: int) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._rate = Rate()

    def show(self, sample: Sample) -> None:
        self._console.print(
            f"  {self._title}  {sample.done:>9,} of {self._total:,}"
            f"  {self._rate.of(sample.done, time.monotonic()):>7,.0f} events/s  lag {_lag(sample)}",
            highlight=False,
            soft_wrap=True,
        )

    def close(self) -> None:
        """Lines stay as they are."""


class Bar:
    """For a terminal."""

    every = BAR_EVERY

    def __init__(self, console: Console, title: str, total: int) -> None:
        self._rate = Rate()
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TextColumn("{task.fields[rate]:>7,.0f} events/s"),
            TextColumn("lag {task.fields[lag]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task(title, total=total, rate=0.0, lag="?")
        self._progress.start()

    def show(self, sample: Sample) -> None:
        rate = self._rate.of(sample.done, time.monotonic())
        self._progress.update(self._task, completed=sample.done, rate=rate, lag=_lag(sample))

    def close(self) -> None:
        self._progress.stop()


class Rate:
    """Events a second between two looks."""

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None

    def of(self, done: int, now: float) -> float:
        last, self._last = self._last, (done, now)
        if last is None or now <= last[1]:
            return 0.0
        return (done - last[0]) / (now - last[1])


def display(console: Console, title: str, total: int) -> Display:
    return (Bar if console.is_terminal else Lines)(console, title, total)


@contextmanager
def shown(where: Display, sample: Callable[[], Sample]) -> Iterator[None]:
    """Samples from a thread of its own as long as the block runs, and once at its end."""
    stop = threading.Event()

    def run() -> None:
        where.show(sample())
        while not stop.wait(where.every):
            where.show(sample())

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        where.show(sample())
        where.close()


def measured(lag: Callable[[], int]) -> int | None:
    """The lag; None while a server is away, which is no reason to stop showing the rest."""
    try:
        return lag()
    except Failed:
        return None


def _lag(sample: Sample) -> str:
    return "?" if sample.lag is None else f"{sample.lag:,}"
