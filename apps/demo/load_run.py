"""Generated load at a steady rate, and proof that nothing of it was lost or counted twice."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import Final

import uuid_utils

from apps.demo import load_check, report
from apps.demo.generator import Generator
from apps.demo.oracle import Oracle
from apps.demo.schedule import Plan, Schedule
from apps.demo.session import Measured, Session
from apps.demo.stream import Batch, Tally

CONNECTIONS: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """A plan, carried out in a game of its own."""

    session: Session
    plan: Plan
    players: int

    def run(self) -> list[str]:
        """Send, wait, show; what differs from what was sent. Raises Failed."""
        session = self.session
        game_id = f"load-{uuid_utils.uuid7().hex[:16]}"
        session.console.print(f"  game {game_id}", highlight=False)
        oracle = Oracle()
        generator = Generator(game_id, self.players, oracle=oracle, dice=random.Random())

        def make(size: int, due: float) -> Batch:
            return generator.batch(size, datetime.now(UTC), due)

        stop = threading.Event()
        schedule = Schedule(self.plan, make, stop)
        tally = Tally()
        clock = threading.Thread(target=schedule.run, name="schedule", daemon=True)
        clock.start()
        try:
            lanes = [schedule.lane() for _ in range(CONNECTIONS)]
            measured = session.run(lanes, self.plan.events, tally, stop=stop)
        finally:
            stop.set()
            clock.join()
        found = load_check.problems(session.database, game_id, oracle)
        self._show(game_id, oracle, schedule, tally, measured)
        return found

    def _show(
        self,
        game_id: str,
        oracle: Oracle,
        schedule: Schedule,
        tally: Tally,
        measured: Measured,
    ) -> None:
        dead = load_check.dead_letters(self.session.database, game_id)
        rows = [
            ("offered", f"{schedule.offered / schedule.offering_seconds:,.0f} events/s"),
            ("accepted", f"{tally.accepted / measured.accepted_seconds:,.0f} events/s"),
            ("events, each once", f"{oracle.events:,}"),
            ("sent once more", f"{oracle.repeats:,}"),
            ("players", f"{len(oracle.by_player):,}"),
            ("dead letters", f"{dead:,}"),
            ("applied by all after", f"{measured.applied_seconds:.1f} s"),
            ("requests sent again", f"{tally.retries:,}"),
            ("answer p50 / p95 / p99", _answer_times(tally.seconds)),
        ]
        tables = (
            report.summary(f"load, {game_id}", rows),
            report.latencies(measured, f"at {self.plan.rate:,} events a second"),
        )
        report.show(self.session.console, *tables)


def _answer_times(seconds: list[float]) -> str:
    """Of a whole batch, from when it was due to its 202; waiting for a connection counts."""
    if len(seconds) < 2:
        return "too few requests"
    cuts = quantiles(seconds, n=100, method="inclusive")
    return " / ".join(f"{cuts[percent - 1] * 1000:,.0f}" for percent in (50, 95, 99)) + " ms"
