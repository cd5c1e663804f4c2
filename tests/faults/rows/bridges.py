"""Faults of the bridges."""

from __future__ import annotations

from tests.faults.row import Row
from tests.faults.scene import Scene


def killed_at_each_step(scene: Scene) -> None:
    points = ["bridge.polled", "bridge.sent", "bridge.stored"]
    scene.chance.shuffle(points)
    for point in points:
        scene.fire(point)
        scene.last(0.5, 2)


ROWS = (
    Row(
        number="8",
        title="Bridge killed after poll, after one of three sends, after storing positions",
        injected="3 failpoints exit",
        expected="",
        seconds=8,
        fault=killed_at_each_step,
    ),
)
