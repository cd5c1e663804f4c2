"""The bridge on a broker that loses, doubles and reorders, killed at any moment."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.contract.chunk import Chunk, Refused, decode_records
from apps.contract.queues import Consumer
from bridge.backpressure import Bounds
from bridge.buffer import CutPolicy
from bridge.courier_fake import FaultyCourier
from bridge.inflight import LONGEST_LEASE
from bridge.ledger import Advance
from bridge.ledger_fake import MemoryLedger
from bridge.loop import Bridge
from bridge.settings import BridgeSettings
from bridge.source_fake import MemorySource, MemoryTopic
from tests.builders import CAST, OTHER_TOPIC_ID, TOPIC, TOPIC_ID, event_text, kafka_message

# Passes without a kill after which everything must be applied, whatever went wrong before.
PASSES = 3_000
CHUNKED = BridgeSettings(
    policy=CutPolicy(max_events=7, max_bytes=100_000, linger=0.0),
    bounds=Bounds(events=40, bytes=100_000, chunks=12),
    ledger_interval=0.0,
    position_interval=0.0,
    commit_interval=0.0,
    prune_interval=0.0,
    topic_interval=0.0,
)
STRICT = BridgeSettings(
    policy=CutPolicy(max_events=1, max_bytes=100_000, linger=0.0),
    bounds=Bounds(events=40, bytes=100_000, chunks=12),
    ledger_interval=0.0,
    position_interval=0.0,
    commit_interval=0.0,
    prune_interval=0.0,
    topic_interval=0.0,
)


def topic_of(contents: Mapping[int, Mapping[int, bool]]) -> MemoryTopic:
    """partition -> offset -> whether the message is an event or noise."""
    return MemoryTopic(
        topic_id=TOPIC_ID,
        partitions={
            partition: {
                offset: kafka_message(
                    partition,
                    offset,
                    event_text(player_id=CAST[offset % 3]) if valid else b"\x80noise",
                )
                for offset, valid in offsets.items()
            }
            for partition, offsets in contents.items()
        },
    )


@dataclass
class World:
    """A topic, a ledger, a courier, the consumers behind it, and the bridge of the moment."""

    topic: MemoryTopic
    random: Random
    settings: BridgeSettings
    courier: FaultyCourier
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    applied: dict[Consumer, set[tuple[int, int]]] = field(
        default_factory=lambda: {consumer: set() for consumer in Consumer}
    )
    letters: dict[tuple[int, int], Refused] = field(default_factory=dict)
    gaps: dict[tuple[Consumer, int, int], range] = field(default_factory=dict)
    published: set[tuple[int, int]] = field(init=False)
    noises: set[tuple[int, int]] = field(init=False)
    bridge: Bridge = field(init=False)

    def __post_init__(self) -> None:
        self.published = self.everything()
        self.noises = {
            (partition, offset)
            for partition, offsets in self.topic.partitions.items()
            for offset, held in offsets.items()
            if held.value() == b"\x80noise"
        }
        self.restart()

    def restart(self) -> None:
        """A new bridge knows nothing but PostgreSQL's positions."""
        source = MemorySource(
            topic=self.topic,
            on_assign=lambda partitions: self.bridge.assigned(partitions),
            on_commit=self.check_commit,
            pass_messages=self.random.randint(1, 20),
        )
        self.bridge = Bridge(
            self.settings,
            topic=TOPIC,
            source=source,
            ledger=self.ledger,
            courier=self.courier,
            beat=lambda: None,
        )

    def check_commit(self, offsets: Mapping[int, int]) -> None:
        for partition, following in offsets.items():
            before = {
                (number, offset)
                for number, offset in self.published
                if number == partition and offset < following
            }
            for consumer, applied in self.applied.items():
                settled = applied | self.lost(consumer)
                assert before <= settled, f"{consumer} has not applied all before {following}"

    def lost(self, consumer: Consumer) -> set[tuple[int, int]]:
        """What the consumer's dead letters say that retention took."""
        return {
            (partition, offset)
            for (name, partition, _), gap in self.gaps.items()
            if name is consumer
            for offset in gap
        }

    def retain(self, oldest: Mapping[int, int]) -> set[tuple[Consumer, int, int]]:
        """Retention takes what lies before; which gaps a bridge that starts now has to tell."""
        told = set()
        for partition, offset in oldest.items():
            self.topic.delete_before(partition, offset)
            positions = self.ledger.positions(TOPIC_ID, {partition: offset})[partition]
            told |= {(c, partition, offset - 1) for c, at in positions.items() if at < offset}
        return told

    def work(self) -> None:
        """Let the consumers take some messages."""
        for _ in range(self.random.randint(0, 4)):
            message = self.courier.fetch()
            if message is None:
                return
            consumer, chunks = message
            for chunk in chunks:
                self.apply(consumer, chunk)

    def apply(self, consumer: Consumer, chunk: Chunk) -> None:
        offsets = {record.offset for record in decode_records(chunk.records)}
        noise = [refused for refused in chunk.refused if refused.consumer is None]
        if consumer is Consumer.LOGGING:
            self.letters |= {(chunk.partition, r.offset): r for r in noise}
        else:
            assert not noise, "a refused message travels to logging alone"
            offsets |= self.noise(chunk.partition, chunk.first_offset, chunk.next_offset)
        offsets |= {refused.offset for refused in noise}
        for gap in chunk.refused:
            if gap not in noise:
                assert gap.consumer is consumer, "a gap is told to whom it concerns"
                lost = [int(number) for number in re.findall(r"\d+", gap.message)[:2]]
                self.gaps[consumer, chunk.partition, gap.offset] = range(*lost)
        self.applied[consumer] |= {(chunk.partition, offset) for offset in offsets}
        self.ledger.apply(consumer, chunk)

    def noise(self, partition: int, first_offset: int, next_offset: int) -> set[int]:
        """Offsets of noise in a range, which stats and leaderboards have nothing to do with."""
        return {
            offset
            for number, offset in self.noises
            if number == partition and first_offset <= offset < next_offset
        }

    def everything(self) -> set[tuple[int, int]]:
        return {
            (partition, offset)
            for partition, offsets in self.topic.partitions.items()
            for offset in offsets
        }

    def settled(self) -> bool:
        ends = {number: self.topic.ends(number).high for number in self.topic.partitions}
        return all(self.topic.committed.get(number, 0) >= end for number, end in ends.items())

    def run(self, passes: int, *, kill: float = 0.0) -> None:
        for _ in range(passes):
            if self.random.random() < kill:
                self.restart()
            self.bridge.step(time.monotonic())
            self.work()
            self.expire_leases()
            if self.settled():
                return

    def expire_leases(self) -> None:
        """Now and then all that is in flight has been away for too long."""
        if self.random.random() < 0.1:
            for partition in self.bridge.partitions.values():
                for held in partition.window.chunks.values():
                    for lease in held.leases.values():
                        if lease.expires_at:
                            lease.expires_at -= 2 * LONGEST_LEASE


offsets = st.dictionaries(st.integers(0, 60), st.booleans(), max_size=40)
contents = st.dictionaries(st.integers(0, 2), offsets, min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(contents=contents, seed=st.integers(0, 2**32), policy=st.sampled_from([CHUNKED, STRICT]))
def test_in_the_end_every_offset_is_applied_by_each_consumer(
    contents: dict[int, dict[int, bool]], seed: int, policy: BridgeSettings
) -> None:
    random = Random(seed)
    courier = FaultyCourier(random=random, lost=0.2, doubled=0.2, refused=0.05)
    world = World(topic=topic_of(contents), random=random, settings=policy, courier=courier)
    world.run(60, kill=0.15)
    world.run(PASSES)
    assert world.settled(), "the watermark stands still"
    for consumer in Consumer:
        assert world.applied[consumer] == world.everything()


@settings(max_examples=30, deadline=None)
@given(contents=contents, seed=st.integers(0, 2**32))
def test_each_refused_message_becomes_one_dead_letter_with_its_bytes(
    contents: dict[int, dict[int, bool]], seed: int
) -> None:
    random = Random(seed)
    courier = FaultyCourier(random=random, lost=0.2, doubled=0.3)
    world = World(topic=topic_of(contents), random=random, settings=CHUNKED, courier=courier)
    world.run(40, kill=0.1)
    world.run(PASSES)
    noise = {
        (partition, offset)
        for partition, offsets in contents.items()
        for offset, valid in offsets.items()
        if not valid
    }
    assert set(world.letters) == noise
    assert {letter.raw for letter in world.letters.values()} <= {b"\x80noise"}


@settings(max_examples=60, deadline=None)
@given(
    contents=contents, seed=st.integers(0, 2**32), passes=st.integers(0, 40), share=st.floats(0, 1)
)
def test_what_retention_took_is_told_once_to_each_consumer_that_lost_it(
    contents: dict[int, dict[int, bool]], seed: int, passes: int, share: float
) -> None:
    random = Random(seed)
    courier = FaultyCourier(random=random, lost=0.2, doubled=0.2)
    world = World(topic=topic_of(contents), random=random, settings=CHUNKED, courier=courier)
    # Somebody read the topic before: what is gone then is a gap, not the topic's beginning.
    begins = {number: world.topic.ends(number).low for number in world.topic.partitions}
    world.ledger.positions(TOPIC_ID, begins)
    world.run(passes, kill=0.1)
    ends = {number: world.topic.ends(number).high for number in world.topic.partitions}
    oldest = {number: int(share * end) for number, end in ends.items() if int(share * end)}
    told = world.retain(oldest)
    world.restart()
    world.run(40, kill=0.1)
    world.run(PASSES)
    assert world.settled(), "the watermark stands still"
    # Who had applied the lost range, ahead of its position, is told nothing.
    assert set(world.gaps) <= told
    for consumer in Consumer:
        assert world.applied[consumer] | world.lost(consumer) >= world.published
        kept = {(p, offset) for p, offset in world.published if offset >= oldest.get(p, 0)}
        assert kept <= world.applied[consumer]
        assert not kept & world.lost(consumer)


def test_a_topic_made_anew_under_a_running_bridge_is_read_from_its_start() -> None:
    random = Random(2)
    courier = FaultyCourier(random=random)
    world = World(
        topic=topic_of({0: dict.fromkeys(range(9), True)}),
        random=random,
        settings=CHUNKED,
        courier=courier,
    )
    world.run(PASSES)
    assert world.settled()
    # Longer than the old one already: no offset is out of range.
    world.topic.partitions = topic_of({0: dict.fromkeys(range(30), True)}).partitions
    world.topic.topic_id = OTHER_TOPIC_ID
    world.topic.committed.clear()
    world.applied = {consumer: set() for consumer in Consumer}
    world.published = world.everything()
    world.run(PASSES)
    assert world.settled()
    for consumer in Consumer:
        assert world.applied[consumer] == world.everything()
    assert world.bridge.topic_id == OTHER_TOPIC_ID


def test_a_bridge_that_starts_between_two_consumers_positions_goes_on() -> None:
    random = Random(1)
    courier = FaultyCourier(random=random)
    topic = topic_of({0: dict.fromkeys(range(20), True)})
    world = World(topic=topic, random=random, settings=CHUNKED, courier=courier)
    world.ledger.positions(TOPIC_ID, {0: 0})
    ahead = Consumer.LEADERBOARDS
    world.applied[ahead] = {(0, offset) for offset in range(4)}
    world.ledger.advance(TOPIC_ID, [Advance(consumer=ahead, partition=0, old=0, new=4)])
    world.run(PASSES)
    assert world.settled()
