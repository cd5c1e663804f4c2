"""Rows, one after the other, on a rig that is made anew after a failure."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

import psycopg2
import redis
from confluent_kafka import KafkaException

from apps.demo.failure import Failed
from gamemetrics.stack.errors import StackError
from tests.bench.child import ChildFailed
from tests.bench.figures import Figures
from tests.bench.latency import TopicShort
from tests.bench.machine import describe
from tests.bench.probe import probe
from tests.bench.report import HEADINGS, cells
from tests.bench.rig import Rig
from tests.bench.row import Row
from tests.bench.watch import NotApplied
from tests.rigs.processes import NotRunning


class TooLong(Exception):
    """The row took longer than it may."""


# A row that fails so is told, and the run goes on with another rig.
FAILURES: Final = (
    *(Failed, StackError, ChildFailed, TopicShort, NotApplied, NotRunning, TooLong),
    *(OSError, ValueError, psycopg2.Error, redis.RedisError, KafkaException),
)


@dataclass(kw_only=True)
class Run:
    """One run; `keep` is called with the figures of each row as they come."""

    tell: Callable[[str], None]
    keep: Callable[[Figures], None]
    described: dict[str, Any] = field(default_factory=dict)
    _rig: Rig | None = None

    def rows(self, rows: Sequence[Row]) -> None:
        """Run them all. Raises KeyboardInterrupt, and StackError where no rig can be started;
        nothing is left running."""
        try:
            for number, row in enumerate(rows, start=1):
                self.tell(f"{number}/{len(rows)} {row.name}: {row.shows}")
                figures = self._one(row)
                self.keep(figures)
                self.tell(f"    {summary(figures)}")
        finally:
            self._stop()

    def _one(self, row: Row) -> Figures:
        began = time.monotonic()
        rig = self._rig or self._start()
        probed = probe()
        began_measuring = time.monotonic()
        try:
            with _limit(row.limit):
                figures = row.measure(rig)
        except FAILURES as error:
            figures = Figures(row=row.name, kind=row.kind, problems=[_told(error)])
        figures.row, figures.kind, figures.probe = row.name, row.kind, probed
        figures.notes.setdefault("shows", row.shows)
        figures.took = round(time.monotonic() - began_measuring, 1)
        if figures.problems:
            # It may be broken, or still at work on what this row left.
            self._stop()
        if began_measuring - began > 1:
            figures.notes["rig_seconds"] = round(began_measuring - began, 1)
        return figures

    def _start(self) -> Rig:
        began = time.monotonic()
        rig = Rig()
        rig.start()
        self._rig = rig
        self.described = self.described or describe(rig)
        self.tell(f"    rig is up after {time.monotonic() - began:.0f} s in {rig.home}")
        return rig

    def _stop(self) -> None:
        rig, self._rig = self._rig, None
        if rig is not None:
            rig.stop()


def summary(figures: Figures) -> str:
    """One row on one line."""
    told = dict(zip(HEADINGS, cells(figures), strict=True))
    parts = [
        f"done {told['done/s']}/s" if told["done/s"] else "",
        f"p50 {told['p50']} p99 {told['p99']} ms" if told["p50"] else "",
        f"CPU {told['CPU']} us" if told["CPU"] else "",
        told["result"],
        f"took {figures.took:.0f} s",
    ]
    return ", ".join(part for part in parts if part)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise TooLong in the main thread after so many seconds."""

    def over(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"it was ended after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, over)
    began = time.monotonic()
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
        # A test that runs us has set the alarm for itself.
        rest = max(0.001, left - (time.monotonic() - began)) if left else 0.0
        signal.setitimer(signal.ITIMER_REAL, rest)
