"""Faults of the web processes."""

from __future__ import annotations

from tests.faults.applications import WEBS
from tests.faults.row import Row
from tests.faults.scene import Scene


def killed_before_the_report(scene: Scene) -> None:
    _killed_at(scene, "api.produced")


def killed_before_the_answer(scene: Scene) -> None:
    _killed_at(scene, "api.confirmed")


def _killed_at(scene: Scene, point: str) -> None:
    for _ in range(3):
        scene.fire(point)
        scene.last(1, 2)
    scene.require(scene.client.lost_answers, "no client saw its connection end")


def told_to_end(scene: Scene) -> None:
    slowest = 0.0
    for web in scene.rig.some(WEBS):
        slowest = max(slowest, web.terminate(seconds=30))
        scene.until(scene.rig.is_ready, f"{web.name} is back")
        scene.last(1)
    scene.notes["slowest_stop"] = round(slowest, 1)
    scene.require(slowest <= 15, f"a web process took {slowest:.1f} s to end")
    failures = [status for status in scene.client.statuses if status.startswith("5")]
    scene.require(not failures, f"answers {failures} while web processes ended as asked")


ROWS = (
    Row(
        number="1",
        title="API killed after produce, before Kafka's report",
        injected="failpoint api.produced exits, three times",
        expected="connections end; what is sent again counts once",
        seconds=6,
        fault=killed_before_the_report,
    ),
    Row(
        number="2",
        title="API killed after Kafka's report, before the 202",
        injected="failpoint api.confirmed exits, three times",
        expected="connections end; what is sent again counts once",
        seconds=6,
        fault=killed_before_the_answer,
    ),
    Row(
        number="3",
        title="API told to end under load",
        injected="SIGTERM to one web process, then to the other",
        expected="no 5xx; each ends within 15 s",
        seconds=10,
        fault=told_to_end,
    ),
)
