"""Faults of Kafka."""

from __future__ import annotations

from tests.faults import mounts
from tests.faults.needs import Needs
from tests.faults.rig import TOPIC
from tests.faults.row import Row
from tests.faults.scene import Scene

# The API waits 9 s for Kafka's confirmation; the rest is for a crowded machine.
ANSWER_SECONDS = 12


def killed(scene: Scene) -> None:
    with scene.rig.processes["kafka-1"].down():
        scene.last(10)
    _expect_refusals(scene)


def paused(scene: Scene) -> None:
    with scene.rig.processes["kafka-1"].paused():
        scene.last(15, 20)
    _expect_refusals(scene)


def _expect_refusals(scene: Scene) -> None:
    client = scene.client
    scene.require(client.statuses["503"], "nobody was answered 503")
    scene.require(client.slowest <= ANSWER_SECONDS, f"an answer took {client.slowest:.1f} s")


def leaders_killed(scene: Scene) -> None:
    leader = scene.topic.leader(0)
    with scene.rig.processes[f"kafka-{leader}"].down():
        scene.until(lambda: scene.topic.leader(0) != leader, "another leader")
        scene.last(2, 4)
        refused = scene.client.statuses["503"]
        scene.notes["refused_without_one"] = refused
        scene.require(not refused, "without one of three brokers events were refused")
        second = scene.topic.leader(0)
        with scene.rig.processes[f"kafka-{second}"].down():
            scene.last(10, 12)
    scene.require(scene.client.statuses["503"], "without two of three brokers none was refused")


def disk_full(scene: Scene) -> None:
    data = scene.rig.nodes[0].layout.kafka / "data"
    ballast = mounts.fill(data)
    scene.last(12)
    ballast.unlink()
    _expect_refusals(scene)


ROWS = (
    Row(
        number="4",
        title="Kafka killed, 10 s away",
        injected="SIGKILL",
        expected=f"503 with Retry-After within {ANSWER_SECONDS} s",
        seconds=12,
        fault=killed,
    ),
    Row(
        number="5",
        title="Kafka paused beyond the producer's time-out",
        injected="SIGSTOP for 15 to 20 s (the producer gives up after 8 s)",
        expected=f"503 within {ANSWER_SECONDS} s; what is written late counts at most once",
        seconds=20,
        fault=paused,
    ),
    Row(
        number="6",
        title="The leader killed, then two of three brokers",
        injected="SIGKILL to the leader of partition 0, then to its successor",
        expected=f"one: no 503; two: 503; {TOPIC} has three replicas, two of them in sync",
        seconds=25,
        fault=leaders_killed,
        needs=Needs(brokers=3),
    ),
    Row(
        number="7",
        title="Kafka's disk full",
        injected="a ballast file fills the tmpfs of its data for 12 s",
        expected=f"503 within {ANSWER_SECONDS} s",
        seconds=18,
        fault=disk_full,
        needs=Needs(kafka_mb=512),
    ),
)
