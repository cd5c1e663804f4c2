"""A peer's run: its tables, its processes one a job, the time they took and their totals."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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
            with _processes(self.argv, orders) as processes:
                before = rig.cpu()
                for process in processes:
                    _say(process, "go")
                spans = [_told(process) for process in processes]
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


@contextmanager
def _processes(
    argv: Sequence[str], orders: Sequence[Order]
) -> Iterator[list[subprocess.Popen[str]]]:
    """The processes, each ready; they have ended after the block."""
    started = [
        subprocess.Popen(
            list(argv),
            env={**plain_environ(), **order.environ(), "PYTHONPATH": str(PROJECT_ROOT)},
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for order in orders
    ]
    try:
        for process in started:
            if _line(process) != "ready":
                raise PeerFailed(f"a process did not start: status {process.wait()}")
        yield started
    except BaseException:
        for process in started:
            process.kill()
        raise
    finally:
        for process in started:
            with process:
                process.wait()


def _say(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _told(process: subprocess.Popen[str]) -> tuple[float, float]:
    line = _line(process)
    if not line:
        raise PeerFailed(f"a process ended before its work was done: status {process.wait()}")
    told = json.loads(line)
    return told["began"], told["ended"]


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds by group between two calls of `rig.cpu()`."""
    return {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
