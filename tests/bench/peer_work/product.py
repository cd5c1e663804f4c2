"""The product's own bridges and workers on a peer's database, as many as are asked for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg2

from gamemetrics.stack import redis_server
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import Ports
from gamemetrics.stack.programs import QUEUES, Launch
from tests.acceptance.waiting import until
from tests.bench.peer_work.crew import difference, make_tables
from tests.bench.peer_work.truth import Ranges, Rows, found
from tests.bench.peers import BenchRig
from tests.deployments import Deployment, Running, deployment
from tests.stack_homes import discard, new_home, reserve_ports

LOOK_SECONDS = 0.02
PATIENCE = 600.0  # seconds, for a backlog


class StillBehind(Exception):
    """The consumers did not come to the end of the backlog in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drained:
    """A backlog that the product has drained, and what its tables say then.

    `seconds` and `cpu` are of `events` of them, those after every bridge had its partitions.
    """

    events: float
    seconds: float
    cpu: Mapping[str, float]
    totals: Mapping[str, Rows]


def drained(rig: BenchRig, ranges: Ranges, *, name: str, each: int) -> Drained:
    """Drain it with `each` bridges, and `each` workers a queue; Redis is one of its own.

    Time and CPU count from when all have their share of the work, so the start of processes and
    the bridges' meeting are not in them, to the last position, which is written every 0.25 s.
    Raises StillBehind.
    """
    with rig.peer_database(name) as database:
        make_tables(database)
        settings = {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": rig.servers,
            "KAFKA_TOPIC": rig.topic,
            "KAFKA_GROUP_ID": f"{name}-{time.time_ns()}",
        }
        with (
            _redis() as addresses,
            deployment({**settings, **addresses}) as deployed,
            _look(database) as look,
        ):
            for queue in QUEUES:
                _start(deployed, f"worker-{queue}", each)
            for running in deployed.running:
                running.tells(" ready.")  # Celery's word for: it takes messages
            bridges = _start(deployed, "bridge", each)
            _wait(lambda: look.applied() > 0 and all(map(_has_partitions, bridges)))
            began, before, already = time.monotonic(), rig.cpu(), look.applied()
            _wait(lambda: look.applied() >= _total(ranges))
            seconds, used = time.monotonic() - began, difference(before, rig.cpu())
        totals = {queue: found(database, queue) for queue in QUEUES}
    return Drained(
        events=_total(ranges) - already,
        seconds=seconds,
        cpu=used,
        totals=totals,
    )


def _total(ranges: Ranges) -> int:
    return sum(following - first for first, following in ranges.values())


def _start(deployed: Deployment, name: str, count: int) -> list[Running]:
    return [deployed.start(name) for _ in range(count)]


def _has_partitions(bridge: Running) -> bool:
    """Whether it reads any; it tells the lag of those."""
    answer = bridge.get("/metrics")
    return answer is not None and "consumer_lag{" in answer.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What the bridges' positions say."""

    cursor: Any

    def applied(self) -> float:
        """Events below the positions, of the three consumers on average."""
        self.cursor.execute("SELECT coalesce(sum(next_offset), 0) FROM consumer_positions")
        return float(self.cursor.fetchone()[0]) / len(QUEUES)


@contextmanager
def _look(database: str) -> Iterator[Look]:
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield Look(cursor=cursor)


@contextmanager
def _redis() -> Iterator[dict[str, str]]:
    """An empty Redis; where the broker and the cache are."""
    home = new_home()
    (port,) = reserve_ports(1)
    layout, ports = Layout(root=home), replace(Ports(), redis_port=port)
    layout.make()
    redis_server.prepare(layout, ports)
    launch = Launch.load(layout.launch_file("redis"))
    process = subprocess.Popen(
        list(launch.argv),
        env=dict(launch.environ),
        cwd=launch.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: redis_server.answers(ports), "Redis answers")
        yield {
            "REDIS_URL": redis_server.cache_url(ports),
            "CELERY_BROKER_URL": redis_server.broker_url(ports),
        }
    finally:
        process.terminate()
        process.wait()
        discard(home)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise StillBehind(f"not at the end within {PATIENCE:g} s")
        time.sleep(LOOK_SECONDS)
