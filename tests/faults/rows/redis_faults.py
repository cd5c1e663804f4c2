"""Faults of the two Redis servers."""

from __future__ import annotations

from tests.faults.row import Row
from tests.faults.scene import Scene


def emptied(scene: Scene) -> None:
    for _ in range(4):
        for server in (scene.rig.broker, scene.rig.cache):
            with server.client() as client:
                client.flushall()
        scene.last(1, 4)


ROWS = (
    Row(
        number="14",
        title="Both Redis emptied again and again",
        injected="FLUSHALL four times, every 1 to 4 s",
        expected="what was on the queues is sent again after its lease; copies are rebuilt",
        seconds=10,
        fault=emptied,
    ),
)
