"""Faults of the workers."""

from __future__ import annotations

import resource
from datetime import datetime
from pathlib import Path

from gamemetrics.stack.programs import QUEUES
from tests.faults.applications import WORKERS
from tests.faults.row import Row
from tests.faults.scene import Scene

POINTS = (
    "worker.received",
    "worker.claimed",
    "worker.applying",
    "worker.applied",
    "worker.lettered",
    "worker.committed",
    "worker.cached",
    "worker.done",
)


def killed_at_each_step(scene: Scene) -> None:
    points = list(POINTS)
    scene.chance.shuffle(points)
    for point in points:
        scene.fire(point)
    workers = scene.rig.some(WORKERS)
    for worker in workers:
        took = worker.terminate(seconds=30)
        scene.notes["slowest_stop"] = max(round(took, 1), scene.notes.get("slowest_stop", 0))
    scene.require(scene.notes["slowest_stop"] <= 15, "a worker took over 15 s to end")


def killed_at_random(scene: Scene) -> None:
    kills = 0
    for _ in range(8):
        for worker in scene.rig.some(WORKERS):
            if scene.chance.random() < 0.6:
                worker.kill()
                kills += 1
        scene.last(1, 3)
    scene.notes["kills"] = kills


def paused_in_a_transaction(scene: Scene) -> None:
    queue = scene.chance.choice(QUEUES)
    worker = scene.rig.processes[f"worker-{queue}"]
    scene.fire("worker.applied", action="sleep", seconds=2, match=queue)
    with worker.paused():
        # What of the others is idle between two statements goes on at once.
        scene.until(lambda: bool(_held(scene)), "the paused worker holds a transaction")
        held = _held(scene)
        scene.last(33)
        left = held & _held(scene)
        scene.require(not left, f"{len(left)} transactions still hold their locks")


def _held(scene: Scene) -> set[tuple[int, datetime]]:
    """Transactions, by process and beginning, of sessions that said nothing for a second."""
    rows = scene.rig.postgres.sql(
        "SELECT pid, xact_start FROM pg_stat_activity WHERE state = 'idle in transaction'"
        " AND usename = 'gamemetrics' AND state_change < now() - interval '1 second'"
    )
    return {(pid, began) for pid, began in rows}


def short_of_memory_and_time(scene: Scene) -> None:
    for worker in scene.rig.some(WORKERS):
        resident = _address_space(worker.pid)
        limits = resource.prlimit(worker.pid, resource.RLIMIT_AS)
        resource.prlimit(worker.pid, resource.RLIMIT_AS, (resident + 256 * 1024, limits[1]))
        scene.last(3, 4)
        if worker.is_running():
            resource.prlimit(worker.pid, resource.RLIMIT_AS, limits)
    with scene.rig.postgres.cursor(superuser=True) as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE player_statistics IN ACCESS EXCLUSIVE MODE")
        scene.last(7, 8)  # beyond lock_timeout (5 s)
        cursor.execute("ROLLBACK")
    scene.notes["restarts"] = {worker.name: worker.starts for worker in scene.rig.some(WORKERS)}


def _address_space(pid: int) -> int:
    """Bytes that the process has mapped."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * resource.getpagesize()


ROWS = (
    Row(
        number="20",
        title="Worker killed at each step of a chunk; all told to end",
        injected="8 failpoints exit, from popped to not acknowledged; then SIGTERM to each",
        expected="each ends within 15 s of SIGTERM",
        seconds=25,
        fault=killed_at_each_step,
    ),
    Row(
        number="21",
        title="Workers killed at random",
        injected="SIGKILL to each of three with 0.6, eight times, every 1 to 3 s",
        expected="",
        seconds=17,
        fault=killed_at_random,
    ),
    Row(
        number="22",
        title="Worker paused inside its transaction",
        injected="SIGSTOP for 33 s, beyond idle_in_transaction_session_timeout (30 s); SIGCONT",
        expected="its locks are freed within 33 s; awake, it fails, tries again, and skips",
        seconds=34,
        fault=paused_in_a_transaction,
    ),
    Row(
        number="23",
        title="Worker without memory; a statement without end",
        injected="RLIMIT_AS at what each worker has, one after the other, 3 to 4 s; a table locked",
        expected="no dead letter",
        seconds=20,
        fault=short_of_memory_and_time,
    ),
)
