"""How often the bridge cuts: at its own pace, or at that of its consumers where they are slower."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from bridge.buffer import CUTS_IN_FLIGHT, FEW, LONGEST, STEP, CutPolicy
from bridge.courier_fake import FaultyCourier
from bridge.ledger_fake import MemoryLedger
from bridge.loop import Bridge
from bridge.settings import BridgeSettings
from bridge.source_fake import MemorySource, MemoryTopic
from tests.builders import TOPIC, TOPIC_ID, event_text, kafka_message

POLICY = CutPolicy(max_events=100, max_bytes=1_000_000, linger=0.02)
SLOW = 0.3  # seconds; longer than any linger, shorter than the longest pause


@dataclass
class Clock:
    """Time that passes only where the bridge sleeps, and between its passes."""

    now: float = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Line:
    """A bridge of one partition, to which an event comes with each pass, and its consumers."""

    clock: Clock
    topic: MemoryTopic = field(
        default_factory=lambda: MemoryTopic(topic_id=TOPIC_ID, partitions={0: {}})
    )
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    courier: FaultyCourier = field(default_factory=lambda: FaultyCourier(random=Random(1)))
    bridge: Bridge = field(init=False)

    def __post_init__(self) -> None:
        self.bridge = Bridge(
            BridgeSettings(policy=POLICY),
            topic=TOPIC,
            source=MemorySource(
                topic=self.topic,
                on_assign=lambda given: self.bridge.assigned(given),
                pass_messages=POLICY.max_events,
            ),
            ledger=self.ledger,
            courier=self.courier,
            beat=lambda: None,
        )

    def come(self, events: int) -> None:
        held = self.topic.partitions[0]
        for offset in range(len(held), len(held) + events):
            held[offset] = kafka_message(0, offset, event_text())

    def go_on(self, seconds: float, *, quick: bool = False, every: float = 0.0) -> list[Chunk]:
        """So much time passes; the chunks that were cut meanwhile. `quick`: they are applied at
        once. `every` so many seconds an event comes, with each pass by default."""
        cuts: list[Chunk] = []
        until = self.clock.now + seconds
        due = self.clock.now
        while self.clock.now < until:
            if self.clock.now >= due:
                self.come(1)
                due += every
            self.bridge.step(self.clock.now)
            self.clock.sleep(0.001)
            for consumer, chunks in self.courier.sent:
                cuts += chunks if consumer is Consumer.STATS else []
                for chunk in chunks:
                    if quick:
                        self.apply(chunk, consumer)
            self.courier.sent.clear()
        return cuts

    def apply(self, chunk: Chunk, *consumers: Consumer) -> None:
        for consumer in consumers or Consumer:
            self.ledger.apply(consumer, chunk)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    clock = Clock()
    monkeypatch.setattr("bridge.loop.time", clock)
    return Line(clock=clock)


def test_consumers_that_keep_the_pace_are_sent_a_cut_each_linger(line: Line) -> None:
    cuts = line.go_on(1.0, quick=True)
    # A look at the ledger lies between two cuts at most.
    assert 0.5 / POLICY.linger < len(cuts) <= 1.0 / (STEP * POLICY.linger) + 1


def test_few_events_wait_for_others_and_no_longer_than_twice_the_pause(line: Line) -> None:
    pause = STEP * POLICY.linger
    cuts = line.go_on(1.0, quick=True, every=pause)
    sizes = {chunk.events for chunk in cuts[1:]}
    assert max(sizes) < FEW
    assert 0.4 / pause < len(cuts) <= 0.5 / pause + 1


def test_few_that_find_company_are_cut_with_it_at_the_usual_pace(line: Line) -> None:
    pause = STEP * POLICY.linger
    (lone,) = line.go_on(pause / 2, quick=True, every=1.0)
    line.come(FEW)
    (cut,) = line.go_on(pause / 2 + 0.003, quick=True, every=1.0)
    assert (lone.events, cut.events) == (1, FEW + 1)


def test_those_that_do_not_find_larger_chunks_and_no_queue(line: Line) -> None:
    first, *others = line.go_on(SLOW)
    assert len([first, *others]) == CUTS_IN_FLIGHT
    line.apply(first)
    (following,) = line.go_on(SLOW)
    assert following.first_offset == others[-1].next_offset
    assert following.events > first.events + sum(chunk.events for chunk in others)


def test_one_that_is_away_holds_the_others_up_no_longer_than_half_a_second(line: Line) -> None:
    for chunk in line.go_on(SLOW):
        line.apply(chunk, Consumer.LOGGING, Consumer.STATS)
    (following,) = line.go_on(LONGEST)
    line.apply(following, Consumer.LOGGING, Consumer.STATS)
    assert len(line.go_on(LONGEST)) == 1


def test_a_chunk_that_is_full_does_not_wait(line: Line) -> None:
    held = line.go_on(SLOW)
    assert len(held) == CUTS_IN_FLIGHT
    line.come(POLICY.max_events)
    (full,) = line.go_on(POLICY.linger)
    assert full.events == POLICY.max_events
