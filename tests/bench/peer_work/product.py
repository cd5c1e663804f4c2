"""The product's own bridges and workers on a peer's database, as many as are asked for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import psycopg2

from gamemetrics.stack import redis_server
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import Ports
from gamemetrics.stack.programs import QUEUES, Launch
from tests.acceptance.waiting import until
from tests.bench.peer_work.crew import difference, make_tables
from tests.bench.peer_work.truth import Ranges, Rows, found
from tests.bench.peers import BenchRig
from tests.deployments import Deployment, deployment
from tests.stack_homes import discard, new_home, reserve_ports

LOOK_SECONDS = 0.02
PATIENCE = 600.0  # seconds, for a backlog


class StillBehind(Exception):
    """The consumers did not come to the end of the backlog in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drained:
    """A backlog that the product has drained, and what its tables say then."""

    seconds: float
    cpu: Mapping[str, float]
    totals: Mapping[str, Rows]


def drained(rig: BenchRig, ranges: Ranges, *, name: str, each: int) -> Drained:
    """Drain it with `each` bridges, and `each` workers a queue; Redis is one of its own.

    The time runs from the first committed chunk to the last position, which the bridge writes
    every 0.25 s. Raises StillBehind.
    """
    with rig.peer_database(name) as database:
        make_tables(database)
        settings = {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": rig.servers,
            "KAFKA_TOPIC": rig.topic,
            "KAFKA_GROUP_ID": f"{name}-{time.time_ns()}",
        }
        with _redis() as addresses, deployment({**settings, **addresses}) as deployed:
            _start(deployed, each, workers=True)
            before = rig.cpu()
            _start(deployed, each, workers=False)
            seconds = _until_applied(database, ranges)
            used = difference(before, rig.cpu())
        totals = {queue: found(database, queue) for queue in QUEUES}
    return Drained(seconds=seconds, cpu=used, totals=totals)


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


def _start(deployed: Deployment, each: int, *, workers: bool) -> None:
    names = [f"worker-{queue}" for queue in QUEUES] if workers else ["bridge"]
    started = [deployed.start(name) for name in names for _ in range(each)]
    for running in started if workers else ():
        running.answers()
        running.tells(" ready.")  # Celery's word for: it takes messages


def _until_applied(database: str, ranges: Ranges) -> float:
    """Seconds from the first commit until every consumer is at the end of every partition."""
    wanted = len(QUEUES) * sum(first < following for first, following in ranges.values())
    ends = [following for _, following in ranges.values()]
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def count(query: str, *parameters: object) -> int:
            cursor.execute(query, parameters)
            return int((cursor.fetchone() or (0,))[0])

        def begun() -> bool:
            return count("SELECT count(*) FROM applied_chunks") > 0

        def done() -> bool:
            return wanted == count(
                "SELECT count(*) FROM consumer_positions JOIN unnest(%s::int[], %s::bigint[])"
                " AS e(partition, following) USING (partition)"
                " WHERE next_offset >= following AND following > 0",
                *(list(ranges), ends),
            )

        _wait(begun)
        began = time.monotonic()
        _wait(done)
        return time.monotonic() - began


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise StillBehind(f"not at the end within {PATIENCE:g} s")
        time.sleep(LOOK_SECONDS)
