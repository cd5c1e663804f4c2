"""When a chunk is cut, who it is sent to, when it is sent again, and when a partition waits."""

from __future__ import annotations

from random import Random

import pytest

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from bridge.backpressure import Bounds
from bridge.buffer import Buffer, CutPolicy, for_consumer
from bridge.courier_fake import FaultyCourier
from bridge.gauges import Gauges
from bridge.inflight import Unsent, Window, shared
from bridge.partition import MOST_QUEUED, Partition, unsent
from bridge.source_fake import MemorySource, MemoryTopic
from tests.builders import TOPIC, TOPIC_ID, chunk, record, refused

POLICY = CutPolicy(max_events=3, max_bytes=1_000, linger=0.06)
EVERYONE = list(Consumer)


def buffer_of(offsets: range, *, size: int = 10) -> Buffer:
    first = offsets.start
    buffer = Buffer(
        topic=TOPIC, topic_id=TOPIC_ID, partition=0, first_offset=first, next_offset=first
    )
    for offset in offsets:
        buffer.add(record(offset), size)
    return buffer


@pytest.mark.parametrize(
    ("count", "size", "full"),
    [(0, 10, False), (2, 10, False), (3, 10, True), (1, 1_000, True)],
    ids=["empty", "room", "full", "heavy"],
)
def test_a_chunk_is_full_by_events_or_by_bytes(count: int, size: int, full: bool) -> None:
    assert buffer_of(range(count), size=size).full(POLICY) is full


def test_an_offset_that_came_before_is_not_buffered() -> None:
    with pytest.raises(ValueError, match="offset 4 is before 5"):
        buffer_of(range(3, 5)).add(record(4), 10)


def test_the_first_chunk_begins_at_the_position_though_offsets_are_missing() -> None:
    buffer = buffer_of(range(0))
    buffer.add(record(7), 10)
    cut = buffer.cut()
    assert (cut.first_offset, cut.next_offset, cut.events) == (0, 8, 1)


def test_only_logging_carries_what_was_refused() -> None:
    carried = chunk([record(0)], refused=[refused(1, b"noise")])
    assert for_consumer(carried, Consumer.LOGGING) == carried
    for name in (Consumer.STATS, Consumer.LEADERBOARDS):
        assert for_consumer(carried, name).refused == []
        assert for_consumer(carried, name).next_offset == 2


def test_a_chunk_is_sent_to_those_who_have_not_done_it() -> None:
    positions = {Consumer.LOGGING: 0, Consumer.STATS: 2, Consumer.LEADERBOARDS: 1}
    partition = Partition.starting(TOPIC, TOPIC_ID, 0, positions)
    for offset in range(2):
        partition.take(record(offset), 10)
    partition.cut()
    (held,) = partition.window.chunks.values()
    assert set(held.leases) == {Consumer.LOGGING, Consumer.LEADERBOARDS}


def test_what_was_not_sent_is_due_and_what_was_sent_is_not() -> None:
    window = Window()
    window.add(chunk([record(0)]), EVERYONE)
    assert [consumer for _, consumer, _ in window.expired(50.0)] == EVERYONE
    for _, _, lease in window.expired(50.0):
        lease.renew(50.0)
    assert list(window.expired(58.9)) == []
    assert len(list(window.expired(61.1))) == 3


def test_what_the_broker_did_not_take_is_due_a_little_later() -> None:
    window = Window()
    window.add(chunk([record(0)]), [Consumer.STATS])
    ((_, _, lease),) = window.expired(50.0)
    lease.postpone(50.0, 1.0)
    assert list(window.expired(50.9)) == []
    assert len(list(window.expired(51.0))) == 1


def new(*chunks: Chunk) -> list[Unsent]:
    """The chunks in windows of their own, each due for stats and leaderboards."""
    found: list[Unsent] = []
    for one in chunks:
        window = Window()
        window.add(one, [Consumer.STATS, Consumer.LEADERBOARDS])
        found += window.expired(50.0)
    return found


def test_new_chunks_share_a_message_of_their_consumer_up_to_its_size() -> None:
    due = new(*(chunk([record(n) for n in range(size)]) for size in (2, 3, 1)))
    sizes = [
        (message[0][1], [held.chunk.events for held, _, _ in message])
        for message in shared(due, most=5)
    ]
    assert sizes == [
        (Consumer.STATS, [2, 3]),
        (Consumer.LEADERBOARDS, [2, 3]),
        (Consumer.STATS, [1]),
        (Consumer.LEADERBOARDS, [1]),
    ]


def test_a_chunk_that_was_sent_before_goes_alone() -> None:
    due = new(*(chunk([record(n)]) for n in range(3)))
    due[2][2].renew(50.0)
    assert [len(message) for message in shared(due, most=5)] == [2, 3, 1]


def sent_once(consumer: Consumer, now: float) -> Partition:
    """A partition with one chunk, which was published at `now`."""
    partition = Partition.starting(TOPIC, TOPIC_ID, 0, dict.fromkeys(EVERYONE, 0))
    partition.window.add(chunk([record(0)]), [consumer])
    for _, _, lease in unsent([partition], now, dict):
        lease.renew(now)
    return partition


def test_what_may_lie_in_the_queue_of_a_slow_consumer_waits_for_one_more_lease() -> None:
    partition = sent_once(Consumer.STATS, 50.0)
    behind = {Consumer.STATS: 7}
    assert list(unsent([partition], 62.0, lambda: behind)) == []
    assert list(unsent([partition], 71.9, lambda: behind)) == []
    # It may be lost all the same: of the queue's messages some are another bridge's.
    ((_, _, lease),) = unsent([partition], 72.0, lambda: behind)
    lease.renew(72.0)
    assert list(unsent([partition], 84.0, lambda: behind)) == []


def test_no_copy_is_added_to_a_queue_that_is_too_long() -> None:
    partition = sent_once(Consumer.STATS, 50.0)
    for now in (62.0, 72.0, 82.0, 92.0):
        assert list(unsent([partition], now, lambda: {Consumer.STATS: MOST_QUEUED})) == []
    assert len(list(unsent([partition], 102.0, dict))) == 1


def test_what_no_queue_can_hold_is_sent_at_once() -> None:
    partition = sent_once(Consumer.STATS, 50.0)
    assert len(list(unsent([partition], 62.0, lambda: {Consumer.LOGGING: 7}))) == 1


def test_chunks_are_sent_in_the_order_of_their_offsets() -> None:
    window = Window()
    for first in (4, 0, 2):
        window.add(chunk([record(first), record(first + 1)]), [Consumer.STATS])
    assert [held.chunk.first_offset for held, _, _ in window.expired(1.0)] == [0, 2, 4]
    assert window.events() == 6


def test_a_chunk_leaves_when_all_have_done_it() -> None:
    window = Window()
    window.add(chunk([record(0), record(1)]), EVERYONE)
    window.done(Consumer.STATS, 0, 2)
    window.done(Consumer.STATS, 0, 2)
    window.done(Consumer.LOGGING, 0, 1)
    window.passed(Consumer.LOGGING, 1)
    assert len(window.chunks) == 1
    window.passed(Consumer.LOGGING, 2)
    window.done(Consumer.LEADERBOARDS, 0, 2)
    assert not window.chunks


@pytest.mark.parametrize(
    ("events", "chunks", "paused", "pause"),
    [
        (0, 0, False, False),
        (49, 4, False, False),
        (50, 1, False, True),
        (5, 5, False, True),
        (26, 1, True, True),
        (25, 1, True, False),
        (3, 3, True, True),
        (2, 2, True, False),
    ],
)
def test_a_partition_waits_beyond_its_share_until_half_of_it_is_done(
    events: int, chunks: int, paused: bool, pause: bool
) -> None:
    window = Window()
    for number in range(chunks):
        size = events - chunks + 1 if number == 0 else 1
        first = 1_000 * number
        window.add(chunk([record(first)], next_offset=first + size), EVERYONE)
    bounds = Bounds(events=100, bytes=1_000_000, chunks=10)
    assert bounds.pause(window, 2, paused=paused) is pause


def test_a_partition_waits_beyond_its_share_of_bytes() -> None:
    window = Window()
    window.add(chunk([record(0)], refused=[refused(1, b"x" * 600)]), EVERYONE)
    size = window.bytes()
    assert size > 600
    for bytes_, pause in ((2 * size, True), (2 * size + 2, False)):
        bounds = Bounds(events=100, bytes=bytes_, chunks=10)
        assert bounds.pause(window, 2, paused=False) is pause
    for consumer in EVERYONE:
        window.done(consumer, 0, 2)
    assert window.bytes() == 0


def test_a_consumer_is_behind_if_its_queue_holds_as_many_messages_as_are_waited_for() -> None:
    positions = dict.fromkeys(EVERYONE, 0)
    partitions = {n: Partition.starting(TOPIC, TOPIC_ID, n, positions) for n in range(3)}
    for partition in partitions.values():
        partition.window.add(chunk([record(0)]), [Consumer.STATS])
        for _, _, lease in partition.window.expired(50.0):
            lease.renew(50.0, share=1 / 3)
    courier = FaultyCourier(random=Random(1))
    topic = MemoryTopic(topic_id=TOPIC_ID, partitions={n: {} for n in range(3)})
    gauges = Gauges(MemorySource(topic=topic, on_assign=lambda _: None), courier)
    gauges.refresh(partitions)
    assert Consumer.STATS not in gauges.behind(partitions)
    courier.waiting.append((Consumer.STATS, []))
    gauges.refresh(partitions)
    assert gauges.behind(partitions)[Consumer.STATS] == 1
