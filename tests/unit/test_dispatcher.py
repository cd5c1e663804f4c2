"""Dead letters go to the queues, and again until they are done."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from apps.contract.queues import Consumer
from bridge.buffer import CutPolicy
from bridge.courier_fake import FaultyCourier
from bridge.dispatcher import A_MESSAGE, INTERVAL, RETRY_SECONDS, Dispatcher
from bridge.ledger import LedgerUnavailable, Positions
from bridge.ledger_fake import MemoryLedger
from bridge.loop import Bridge
from bridge.replays import ReplaysUnavailable, Work
from bridge.replays_fake import MemoryJob, MemoryLetter, MemoryReplays
from bridge.settings import BridgeSettings
from bridge.source_fake import MemorySource, MemoryTopic
from tests.builders import NOW, TOPIC, TOPIC_ID


@dataclass
class World:
    """A dispatcher on letters in memory, on a clock that the test turns."""

    refused: float = 0.0
    replays: MemoryReplays = field(default_factory=MemoryReplays)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.courier = FaultyCourier(random=Random(1), refused=self.refused)
        self.dispatcher = Dispatcher(
            self.replays, self.courier, clock=lambda: NOW + timedelta(seconds=self.seconds)
        )

    def letters(self, count: int, consumer: str = "stats") -> None:
        for _ in range(count):
            letter = MemoryLetter(consumer_service=consumer, state="replaying", next_send_at=NOW)
            self.replays.letters[len(self.replays.letters) + 1] = letter

    def pass_at(self, seconds: float) -> None:
        self.seconds = seconds
        self.dispatcher.step(seconds)


def test_new_letters_travel_together() -> None:
    world = World()
    world.letters(A_MESSAGE + 1)
    world.letters(1, "bridge")
    world.pass_at(0.0)
    assert [(consumer, len(ids)) for consumer, ids in world.courier.letters] == [
        (Consumer.LOGGING, 1),
        (Consumer.STATS, A_MESSAGE),
        (Consumer.STATS, 1),
    ]


def test_a_letter_that_is_sent_again_travels_alone() -> None:
    world = World()
    world.letters(3)
    world.pass_at(0.0)
    world.pass_at(10.0)
    assert [ids for _, ids in world.courier.letters] == [[1, 2, 3], [1], [2], [3]]


def test_a_letter_that_is_done_is_not_sent_again() -> None:
    world = World()
    world.letters(2)
    world.pass_at(0.0)
    world.replays.letters[1].state = "applied"
    world.pass_at(10.0)
    assert [ids for _, ids in world.courier.letters] == [[1, 2], [2]]


def test_a_job_is_released_and_sent_at_its_rate() -> None:
    world = World()
    for number in range(1, 11):
        world.replays.letters[number] = MemoryLetter(consumer_service="stats")
    world.replays.jobs[1] = MemoryJob(
        action="replay", filter={}, per_second=4, max_id=10, paced_at=NOW
    )
    for quarter in range(20):
        world.pass_at(quarter * INTERVAL)
    assert [ids for _, ids in world.courier.letters] == [[number] for number in range(1, 11)]
    assert world.replays.jobs[1].state == "done"


def test_a_broker_that_takes_nothing_is_asked_again_later() -> None:
    world = World(refused=1.0)
    world.letters(1)
    world.pass_at(0.0)
    world.courier.refused = 0.0
    world.pass_at(RETRY_SECONDS - 0.1)
    assert world.courier.letters == []
    world.pass_at(10.0)
    assert world.courier.letters == [(Consumer.STATS, [1])]


class AwayReplays(MemoryReplays):
    """PostgreSQL does not answer."""

    asked = 0

    def work(self, now: object) -> Work:
        self.asked += 1
        raise ReplaysUnavailable("away")


def test_an_outage_of_postgresql_is_waited_out() -> None:
    replays = AwayReplays()
    world = World(replays=replays)
    for second in range(6):
        world.pass_at(float(second))
    assert replays.asked == 2


class AwayLedger(MemoryLedger):
    """PostgreSQL does not answer the bridge's questions about positions."""

    def positions(self, topic_id: uuid.UUID, starts: Mapping[int, int]) -> Positions:
        raise LedgerUnavailable("away")


def test_a_bridge_that_cannot_read_its_partitions_still_sends_dead_letters() -> None:
    world = World()
    world.letters(1)
    bridge = Bridge(
        BridgeSettings(policy=CutPolicy(max_events=1, max_bytes=1_000, linger=0.0)),
        topic=TOPIC,
        source=MemorySource(
            topic=MemoryTopic(topic_id=TOPIC_ID, partitions={0: {}}),
            on_assign=lambda partitions: bridge.assigned(partitions),
        ),
        ledger=AwayLedger(),
        courier=world.courier,
        beat=lambda: None,
        duty=world.dispatcher.step,
    )
    for _ in range(3):
        bridge.step(time.monotonic())
    assert bridge.partitions == {}
    assert world.courier.letters == [(Consumer.STATS, [1])]
