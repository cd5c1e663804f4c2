"""All rows of the matrix, and the run of some of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
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
from tests.faults.seed_run import Outcome, run_seed
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


def run(
    rows: Iterable[Row], seeds: Sequence[int], events: int, tell: Callable[[str], None]
) -> list[Outcome]:
    """Run rows of equal needs on one rig, one rig after the other."""
    by_needs: dict[Needs, list[Row]] = {}
    for row in rows:
        by_needs.setdefault(row.needs, []).append(row)
    return [
        outcome
        for needs, group in by_needs.items()
        for outcome in _run_on_one_rig(needs, group, seeds, events, tell)
    ]


def _run_on_one_rig(
    needs: Needs,
    rows: Sequence[Row],
    seeds: Sequence[int],
    events: int,
    tell: Callable[[str], None],
) -> list[Outcome]:
    began = time.monotonic()
    rig = Rig(needs=needs, chance=Random(str(seeds)))
    rig.start()
    tell(f"rig is up after {time.monotonic() - began:.0f} s in {rig.home}")
    topic = Topic(servers=rig.servers)
    outcomes = []
    try:
        # By the servers that are proxied, so that processes are seldom restarted.
        for row in sorted(rows, key=lambda row: sorted(row.proxied)):
            for number, seed in enumerate(seeds):
                outcome = run_seed(
                    rig, topic, row, seed=seed, events=events, round_=seeds[:number].count(seed)
                )
                outcomes.append(outcome)
                tell(line(outcome))
    finally:
        rig.stop()
    return outcomes


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
