"""A peer's run: its tables, its processes one a job, the time they took and their totals."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

from confluent_kafka import Consumer, TopicPartition

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.bench.peer_work.order import Order
from tests.bench.peer_work.truth import problems
from tests.bench.peers import BenchRig, PeerResult
from tests.stack_homes import plain_environ

# What every peer leaves out, beside the product: it is said with each of their figures.
LESS = "no Redis, no dead letters, no HTTP"


class PeerFailed(Exception):
    """A process of a peer ended before its work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crew:
    """How the processes of a peer are started: the command, the same for each of its jobs."""

    name: str
    jobs: tuple[str, ...]
    argv: Sequence[str]

    def run(self, rig: BenchRig, events: int) -> PeerResult:
        """Have every job done at the same time. Raises PeerFailed."""
        ranges = rig.backlog(events)
        with rig.peer_database(self.name) as database:
            make_tables(database)
            orders = [self._order(rig, job, database, ranges) for job in self.jobs]
            with _hands(self.argv, orders) as hands:
                before = rig.cpu()
                for hand in hands:
                    hand.go()
                spans = [hand.span() for hand in hands]
            used = difference(before, rig.cpu())
            wrong = problems(rig.servers, rig.topic, ranges, database, self.jobs)
        return PeerResult(
            events=events,
            seconds=max(ended for _, ended in spans) - min(began for began, _ in spans),
            cpu=used,
            note=f"its totals are WRONG: {wrong}" if wrong else f"totals right; {LESS}",
        )

    def _order(
        self, rig: BenchRig, job: str, database: str, ranges: Mapping[int, tuple[int, int]]
    ) -> Order:
        group = f"{self.name}-{job}-{uuid.uuid4().hex[:8]}"
        _begin_at(rig, group, ranges)
        return Order(
            job=job,
            servers=rig.servers,
            topic=rig.topic,
            group=group,
            database=database,
            ranges=dict(ranges),
        )


def module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def make_tables(database: str) -> None:
    """The product's own tables by its own migrations: same columns, same indexes."""
    made = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--noinput"],
        env={**plain_environ(), "DATABASE_URL": database, "FAILPOINTS": ""},
        cwd=PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise PeerFailed(f"its tables could not be made: {made.stdout}{made.stderr}"[-2000:])


def _begin_at(rig: BenchRig, group: str, ranges: Mapping[int, tuple[int, int]]) -> None:
    """Commit for the new group where the messages begin: the topic may hold older ones."""
    consumer = Consumer(
        {"bootstrap.servers": rig.servers, "group.id": group, "enable.auto.commit": False}
    )
    places = [TopicPartition(rig.topic, number, first) for number, (first, _) in ranges.items()]
    try:
        consumer.commit(offsets=places, asynchronous=False)
    finally:
        consumer.close()


@dataclass(kw_only=True, slots=True)
class Hand:
    """One process of a crew; what it says on standard error is kept as the reason of a failure."""

    process: subprocess.Popen[str]
    errors: IO[str]

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """Its next line. Raises PeerFailed where it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            status = self.process.wait()
            self.errors.seek(0)
            last = (self.errors.read().strip().splitlines() or ["it said nothing"])[-1]
            raise PeerFailed(f"a process ended with status {status}: {last}")
        return line

    def span(self) -> tuple[float, float]:
        """When its work began and ended."""
        told = json.loads(self.hear())
        return told["began"], told["ended"]


@contextmanager
def _hands(argv: Sequence[str], orders: Sequence[Order]) -> Iterator[list[Hand]]:
    """The processes, each ready; they have ended after the block."""
    with ExitStack() as kept:
        hands = [
            Hand(process=_started(argv, order, errors), errors=errors)
            for order in orders
            for errors in [kept.enter_context(TemporaryFile("w+"))]
        ]
        try:
            for hand in hands:
                hand.hear()
            yield hands
        except BaseException:
            for hand in hands:
                hand.process.kill()
            raise
        finally:
            for hand in hands:
                with hand.process:
                    hand.process.wait()


def _started(argv: Sequence[str], order: Order, errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(argv),
        env={**plain_environ(), **order.environ(), "PYTHONPATH": str(PROJECT_ROOT)},
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds by group between two calls of `rig.cpu()`."""
    return {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
