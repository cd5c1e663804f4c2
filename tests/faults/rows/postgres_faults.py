"""Faults of PostgreSQL."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from gamemetrics.stack.processes import wait_until
from tests.faults import mounts
from tests.faults.needs import Needs
from tests.faults.row import Row
from tests.faults.scene import Scene

OWNER = "gamemetrics"
# Ends every session of the application's role, so that it has to connect again.
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = %s AND application_name <> 'ballast'"
)


def stopped(scene: Scene) -> None:
    postgres, process = scene.rig.postgres, scene.rig.processes["postgres"]
    with process.down(signal.SIGQUIT):
        scene.last(8, 10)
    scene.until(postgres.answers, "PostgreSQL is back")
    postgres.sql(f"ALTER ROLE {OWNER} SET synchronous_commit = off")
    try:
        postgres.sql(END_SESSIONS, OWNER)
        scene.last(1, 3)
        with process.down(signal.SIGQUIT):
            scene.last(1, 3)
        scene.until(postgres.answers, "PostgreSQL is back")
    finally:
        postgres.sql(f"ALTER ROLE {OWNER} RESET synchronous_commit")
        postgres.sql(END_SESSIONS, OWNER)


def cut_in_commit(scene: Scene) -> None:
    proxy = scene.rig.proxies["postgres"]
    proxy.cut_after(b"COMMIT", times=10)
    scene.until(lambda: proxy.cuts == 10, "ten connections were cut", seconds=40)
    scene.notes["cuts"] = proxy.cuts


def read_only_and_crowded(scene: Scene) -> None:
    postgres = scene.rig.postgres
    try:
        postgres.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        postgres.sql("SELECT pg_reload_conf()")
        scene.last(8, 10)
    finally:
        postgres.sql("ALTER SYSTEM RESET default_transaction_read_only")
        postgres.sql("SELECT pg_reload_conf()")
    scene.last(1, 2)
    with _every_connection_taken(scene):
        scene.last(6, 8)


@contextmanager
def _every_connection_taken(scene: Scene) -> Iterator[None]:
    """The application's sessions are ended, and idle ones have taken their places."""
    taken: list[Any] = []
    try:
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            scene.rig.postgres.sql(END_SESSIONS, OWNER)
            _take_all(scene.rig.postgres.url(), taken)
        scene.notes["connections_taken"] = len(taken)
        scene.require(len(taken) > 40, f"only {len(taken)} connections could be taken")
        yield
    finally:
        for connection in taken:
            connection.close()


def _take_all(url: str, taken: list[Any]) -> None:
    try:
        while len(taken) < 200:
            taken.append(psycopg2.connect(url, connect_timeout=5, application_name="ballast"))
    except psycopg2.OperationalError:
        return


def disk_full(scene: Scene) -> None:
    ballast = mounts.fill(scene.rig.postgres.data)
    try:
        scene.last(10, 12)
    finally:
        ballast.unlink()


def failed_over(scene: Scene) -> None:
    rig = scene.rig
    standby = rig.new_standby()
    scene.until(standby.answers, "the standby answers")
    scene.until(lambda: _streams(scene), "the standby follows")
    scene.last(1, 2)
    standby.sql("ALTER SYSTEM SET primary_conninfo = ''")
    standby.sql("SELECT pg_reload_conf()")
    scene.until(lambda: not _streams(scene), "the standby has stopped following")
    before = scene.rig.postgres.sql("SELECT count(*) FROM events")[0][0]
    scene.notes["behind_seconds"] = round(scene.last(5, 8), 1)
    lost = scene.rig.postgres.sql("SELECT count(*) FROM events")[0][0] - before
    scene.notes["events_stepped_back"] = lost
    scene.require(lost > 0, "the standby was behind by nothing")
    rig.processes["postgres"].hold()
    rig.processes["postgres"].kill(signal.SIGQUIT)
    rig.promote(standby)
    wait_until(standby.answers, seconds=30)


def _streams(scene: Scene) -> bool:
    found = scene.rig.postgres.sql("SELECT count(*) FROM pg_stat_replication")
    return bool(found[0][0])


ROWS = (
    Row(
        number="24",
        title="PostgreSQL stopped at once, 10 s away; again without synchronous commits",
        injected="SIGQUIT to the postmaster, twice; the second time with synchronous_commit = off",
        expected="no dead letter",
        seconds=18,
        fault=stopped,
    ),
    Row(
        number="25",
        title="Connection cut during COMMIT",
        injected="the proxy passes COMMIT on, drops the answer and resets, ten times",
        expected="the chunk is sent again and found done",
        seconds=8,
        fault=cut_in_commit,
        proxied=frozenset({"postgres"}),
    ),
    Row(
        number="26",
        title="PostgreSQL read-only, then without a free connection",
        injected="default_transaction_read_only for 8 to 10 s; every connection taken, 6 to 8 s",
        expected="25006 and 53300 are waited out: no dead letter",
        seconds=20,
        fault=read_only_and_crowded,
    ),
    Row(
        number="27",
        title="PostgreSQL's disk full",
        injected="a ballast file fills the tmpfs of its data for 10 to 12 s",
        expected="53100 is waited out, a panic recovered from: no dead letter",
        seconds=14,
        fault=disk_full,
        needs=Needs(postgres_mb=1024),
    ),
    Row(
        number="28",
        title="Failover to a standby that is 5 to 8 s behind",
        injected="the standby stops following; the primary is killed and the standby promoted",
        expected="positions and effects step back together",
        seconds=18,
        fault=failed_over,
        proxied=frozenset({"postgres"}),
    ),
)
