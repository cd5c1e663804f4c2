"""Faults of the workers."""

from __future__ import annotations

from tests.faults.rig import WORKERS
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
)
