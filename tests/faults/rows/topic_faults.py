"""What befalls the topic itself: made anew, and cut off by retention."""

from __future__ import annotations

import json
from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from gamemetrics.stack.programs import QUEUES
from gamemetrics.stack.topic import ensure_topic
from tests.faults.applications import BRIDGES
from tests.faults.drain import drain
from tests.faults.oracle import Excuse
from tests.faults.rig import TOPIC
from tests.faults.row import Row
from tests.faults.scene import Scene
from tests.kafka_clients import client_of

QUIET_LOOKS = 20  # 50 ms apart


def made_anew(scene: Scene) -> None:
    """All that was confirmed is applied before: what goes with the topic is Kafka's own loss."""
    with scene.client.silent():
        behind = drain(scene.rig.postgres, scene.topic, 60)
        scene.require(not behind, f"not drained before the topic is deleted: {behind}")
        # A client that knew a later leader epoch than the new topic's must read it all the same.
        scene.rig.processes["kafka-1"].kill()
        scene.until(scene.rig.kafka_answers, "Kafka is back")
        scene.last(1, 2)
        before = scene.topic.id()
        scene.topic.admin.delete_topics([TOPIC], operation_timeout=30)[TOPIC].result(30)
        scene.until(lambda: not scene.topic.exists(), "the topic is gone")
        scene.last(0, 3)
        ensure_topic(scene.rig.servers, TOPIC, replication_factor=scene.rig.needs.brokers)
        scene.until(lambda: scene.topic.exists() and scene.topic.id() != before, "another topic")
    scene.last(2, 4)


def overtaken_by_retention(scene: Scene) -> None:
    bridges = scene.rig.some(BRIDGES)
    for bridge in bridges:
        bridge.hold()
        bridge.terminate(seconds=20)
    seen: list[dict[int, int]] = []
    scene.until(lambda: _workers_are_done(scene, seen), "the workers have done what was sent")
    scene.last(3, 4)
    ends = scene.topic.ends()
    positions = _positions(scene)
    cuts = {number: (positions.get(number, 0) + end) // 2 for number, end in ends.items()}
    missing = [_ids(scene, number, positions.get(number, 0), cut) for number, cut in cuts.items()]
    gone = frozenset(event_id for ids in missing for event_id in ids)
    scene.notes["events_gone"] = len(gone)
    scene.require(gone, "retention deleted nothing that was not applied")
    places = [TopicPartition(TOPIC, number, cut) for number, cut in cuts.items()]
    for told in scene.topic.admin.delete_records(places).values():
        told.result(20)
    gaps = {number for number, cut in cuts.items() if cut > positions.get(number, 0)}
    scene.excuse = Excuse(
        letters=frozenset((name, "retention_gap") for name in (*QUEUES, "bridge")), missing=gone
    )
    for bridge in bridges:
        bridge.start()
    scene.finally_(lambda: _expect_gap_letters(scene, gaps))


def _expect_gap_letters(scene: Scene, partitions: set[int]) -> None:
    """For every consumer and partition that lost something there is a dead letter that says so."""
    topic_id = scene.topic.id()
    rows = scene.rig.postgres.sql(
        "SELECT DISTINCT consumer_service, partition FROM dlq_events"
        " WHERE cause = 'retention_gap' AND topic_id = %s",
        topic_id,
    )
    expected = {(queue, partition) for queue in QUEUES for partition in partitions}
    missing = sorted(expected - set(rows))
    scene.require(not missing, f"no dead letter tells of the gap of {missing}")


def _workers_are_done(scene: Scene, seen: list[dict[int, int]]) -> bool:
    """Nothing waits, and what was popped last had its time: the broker does not know who holds it.

    `seen` are the positions of the looks before.
    """
    with scene.rig.broker.client() as client:
        if any(client.llen(queue) for queue in QUEUES):
            seen.clear()
    seen.append(_positions(scene))
    return len(seen) > QUIET_LOOKS and all(found == seen[-1] for found in seen[-QUIET_LOOKS:])


def _positions(scene: Scene) -> dict[int, int]:
    """The offset of each partition before which nothing can be lost any more."""
    topic_id = scene.topic.id()
    rows = scene.rig.postgres.sql(
        "SELECT partition, max(next_offset) FROM"
        " (SELECT partition, next_offset FROM consumer_positions WHERE topic_id = %s"
        "  UNION ALL SELECT partition, next_offset FROM applied_chunks WHERE topic_id = %s)"
        " AS reached GROUP BY partition",
        topic_id,
        topic_id,
    )
    return dict(rows)


def _ids(scene: Scene, partition: int, first: int, following: int) -> set[str]:
    """The ids of the events in a range of offsets."""
    found: set[str] = set()
    settings = {**client_of(scene.rig.servers), "group.id": "faults-reads"}
    with closing(Consumer({**settings, "enable.auto.commit": False})) as consumer:
        consumer.assign([TopicPartition(TOPIC, partition, first)])
        while first < following:
            for message in consumer.consume(500, timeout=5):
                value, offset = message.value(), message.offset()
                if message.error() or value is None or offset is None:
                    return found
                first = offset + 1
                if offset < following:
                    found.add(json.loads(value)["event_id"])
    return found


ROWS = (
    Row(
        number="12",
        title="The topic deleted and made anew",
        injected="Kafka was killed once; the client waits, all is applied; kafka admin calls",
        expected="the new topic, whose id is another, is read from its beginning",
        seconds=15,
        fault=made_anew,
    ),
    Row(
        number="13",
        title="Retention overtakes stopped bridges",
        injected="the bridges are down; half of what they have not read is deleted (DeleteRecords)",
        expected="a dead letter retention_gap for each consumer and partition: never silent",
        seconds=10,
        fault=overtaken_by_retention,
    ),
)
