"""All rows of the matrix, and the run of some of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.faults import mounts
from tests.faults.needs import Needs
from tests.faults.rig import Rig
from tests.faults.row import Row
from tests.faults.rows import (
    api,
    bridges,
    kafka_faults,
    poison,
    postgres_faults,
    redis_faults,
    together,
    topic_faults,
    workers,
)
from tests.faults.seed_run import FAILURES, Outcome, run_seed
from tests.faults.topic import Topic

MODULES: Final = (
    api, bridges, kafka_faults, topic_faults, redis_faults, workers, postgres_faults, poison,
    together,
)  # fmt: skip


def _order(row: Row) -> tuple[bool, int, str]:
    named = not row.number.isdigit()
    return named, 0 if named else int(row.number), row.number


ROWS: Final = {
    row.number: row for row in sorted((row for m in MODULES for row in m.ROWS), key=_order)
}


def not_staged(row: Row) -> str:
    """Why this machine cannot stage the row; empty where it can."""
    return mounts.why_not() if row.needs.mounts else ""


@dataclass(kw_only=True)
class Run:
    """One run of rows and seeds; `keep` is told each outcome as it comes."""

    seeds: Sequence[int]
    events: int
    tell: Callable[[str], None]
    keep: Callable[[Outcome], None]

    def rows(self, rows: Iterable[Row]) -> None:
        """Run rows of equal needs on one rig, one rig after the other."""
        by_needs: dict[Needs, list[Row]] = {}
        for row in rows:
            by_needs.setdefault(row.needs, []).append(row)
        for needs, group in by_needs.items():
            # By the servers that are proxied, so that processes are seldom restarted.
            group.sort(key=lambda row: sorted(row.proxied))
            work = [(row, seed) for row in group for seed in self.seeds]
            while work:
                work = self._on_one_rig(needs, work)

    def _on_one_rig(self, needs: Needs, work: list[tuple[Row, int]]) -> list[tuple[Row, int]]:
        """What is left to do on another rig: a failure may have left this one broken."""
        began = time.monotonic()
        rig = Rig(needs=needs, chance=Random(str(self.seeds)))
        rig.start()
        self.tell(f"rig is up after {time.monotonic() - began:.0f} s in {rig.home}")
        topic = Topic(servers=rig.servers)
        try:
            for done, (row, seed) in enumerate(work, start=1):
                outcome = self._one(rig, topic, row, seed)
                self.keep(outcome)
                self.tell(line(outcome))
                if not outcome.passed:
                    return work[done:]
        finally:
            rig.stop()
        return []

    def _one(self, rig: Rig, topic: Topic, row: Row, seed: int) -> Outcome:
        try:
            return run_seed(rig, topic, row, seed=seed, events=self.events)
        except FAILURES as error:
            problem = f"the rig broke: {error!r}"
            return Outcome(row=row.number, seed=seed, events=self.events, problems=[problem])


def line(outcome: Outcome) -> str:
    """One seed's outcome on one line, and its problems below it."""
    told = (
        f"row {outcome.row} seed {outcome.seed}: "
        f"{'passed' if outcome.passed else 'FAILED'}; {outcome.ok} ok, {outcome.failed} failed, "
        f"{outcome.unknown} unknown, {outcome.repeats} repeats; {outcome.lost} lost, "
        f"{outcome.doubled} doubled; fault {outcome.fault:.1f} s, "
        f"recovered in {outcome.recovery:.1f} s, took {outcome.took:.1f} s; {outcome.notes}"
    )
    return "\n".join([told, *(f"    {problem}" for problem in outcome.problems)])
