"""Faults of the bridges."""

from __future__ import annotations

from functools import partial

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from gamemetrics.stack.environment import GROUP_ID
from tests.faults.applications import BRIDGES
from tests.faults.rig import TOPIC
from tests.faults.row import Row
from tests.faults.scene import Scene


def killed_at_each_step(scene: Scene) -> None:
    points = ["bridge.polled", "bridge.sent", "bridge.stored"]
    scene.chance.shuffle(points)
    for point in points:
        scene.fire(point)
        scene.last(0.5, 2)


def paused_beside_another(scene: Scene) -> None:
    name = scene.chance.choice(BRIDGES)
    with scene.rig.processes[name].paused():
        scene.last(14, 18)
    scene.last(2)


def one_more_comes_and_goes(scene: Scene) -> None:
    third = scene.rig.third_bridge()
    for _ in range(4):
        third.start()
        scene.last(3, 5)
        third.hold()
        third.kill()
        scene.last(0.5, 2)


def offsets_forgotten(scene: Scene) -> None:
    ends = scene.topic.ends()
    ways = [None, dict.fromkeys(ends, 0), ends]
    scene.chance.shuffle(ways)
    for offsets in ways:
        bridges = scene.rig.some(BRIDGES)
        for bridge in bridges:
            bridge.hold()
            bridge.terminate(seconds=20)
        scene.until(partial(_is_told, scene, offsets), "the group is empty")
        for bridge in bridges:
            bridge.start()
        scene.last(3, 5)


def _is_told(scene: Scene, offsets: dict[int, int] | None) -> bool:
    """Whether Kafka took the group's offsets; it does not while a member is left."""
    admin = scene.topic.admin
    if offsets is None:
        told = admin.delete_consumer_groups([GROUP_ID])
    else:
        places = [TopicPartition(TOPIC, number, offset) for number, offset in offsets.items()]
        told = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP_ID, places)])
    try:
        told[GROUP_ID].result(10)
    except KafkaException:
        return False
    return True


ROWS = (
    Row(
        number="8",
        title="Bridge killed after poll, after sending, after storing positions",
        injected="failpoints bridge.polled, bridge.sent, bridge.stored exit",
        expected="",
        seconds=10,
        fault=killed_at_each_step,
    ),
    Row(
        number="9",
        title="Bridge paused beside another, then woken",
        injected="SIGSTOP for 14 to 18 s, beyond the group's session time-out of 10 s; SIGCONT",
        expected="its positions are refused by compare-and-set; what it sends again is skipped",
        seconds=20,
        fault=paused_beside_another,
    ),
    Row(
        number="10",
        title="Rebalances without end",
        injected="a third bridge is started and killed four times, every 4 to 7 s",
        expected="",
        seconds=22,
        fault=one_more_comes_and_goes,
    ),
    Row(
        number="11",
        title="The group's offsets deleted, set to 0, set to the end",
        injected="kafka admin calls, in an order drawn from the seed, while the bridges are down",
        expected="PostgreSQL's positions decide",
        seconds=20,
        fault=offsets_forgotten,
    ),
)
