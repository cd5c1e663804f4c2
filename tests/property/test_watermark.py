"""The low watermark is where the first unapplied offset is, and a chunk spans what was read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.contract.chunk import Record, Refused, decode_records
from apps.contract.queues import Consumer
from bridge.buffer import CUTS_IN_FLIGHT, FEW, LONGEST, STEP, Buffer, CutPolicy
from bridge.inflight import FIRST_LEASE, LONGEST_LEASE, STEADY_MESSAGES, Lease
from bridge.partition import Partition
from bridge.watermark import Watermark
from tests.builders import TOPIC, TOPIC_ID, record, refused

ranges = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12)).map(lambda pair: (pair[0], sum(pair))),
    max_size=25,
)
POLICY = CutPolicy(max_events=5, max_bytes=1_000, linger=0.03)


@given(st.integers(0, 30), ranges)
def test_the_watermark_is_the_first_offset_that_is_not_applied(
    start: int, found: list[tuple[int, int]]
) -> None:
    watermark = Watermark(next_offset=start)
    applied: set[int] = set()
    for first_offset, next_offset in found:
        watermark.add(first_offset, next_offset)
        applied |= set(range(first_offset, next_offset))
        expected = start
        while expected in applied:
            expected += 1
        assert watermark.next_offset == expected


@given(ranges, st.permutations(range(3)))
def test_the_order_in_which_ranges_are_seen_does_not_matter(
    found: list[tuple[int, int]], turns: list[int]
) -> None:
    forwards, backwards = Watermark(next_offset=0), Watermark(next_offset=0)
    for range_ in found:
        forwards.add(*range_)
    for range_ in sorted(found, key=lambda held: turns[held[0] % 3]):
        backwards.add(*range_)
    assert forwards.next_offset == backwards.next_offset


@given(st.dictionaries(st.integers(0, 60), st.booleans(), max_size=40), st.integers(1, 9))
def test_chunks_meet_and_hold_every_message_once(valid: dict[int, bool], most: int) -> None:
    buffer = Buffer(topic=TOPIC, topic_id=TOPIC_ID, partition=0, first_offset=0, next_offset=0)
    policy = CutPolicy(max_events=most, max_bytes=10**6, linger=0.0)
    chunks = []
    for offset, is_event in sorted(valid.items()):
        item: Record | Refused = record(offset) if is_event else refused(offset, b"noise")
        buffer.add(item, 100)
        if buffer.full(policy):
            chunks.append(buffer.cut())
    if len(buffer):
        chunks.append(buffer.cut())
    ends = [0, *(held.next_offset for held in chunks)]
    assert [held.first_offset for held in chunks] == ends[:-1]
    events = [held.offset for cut in chunks for held in decode_records(cut.records)]
    noise = [held.offset for cut in chunks for held in cut.refused]
    assert events == [offset for offset in sorted(valid) if valid[offset]]
    assert noise == [offset for offset in sorted(valid) if not valid[offset]]
    assert all(held.events + len(held.refused) <= most for held in chunks)


@given(st.integers(0, 100), st.integers(0, 2 * FEW))
def test_beyond_some_cuts_in_flight_the_next_waits_for_one_of_them(cuts: int, waiting: int) -> None:
    behind = cuts >= CUTS_IN_FLIGHT
    own = POLICY.linger * STEP * (2 if waiting < FEW else 1)
    assert POLICY.pause(cuts, waiting) == (LONGEST if behind else own)


@given(st.integers(1, 12))
def test_a_lease_doubles_in_the_end_up_to_its_longest(times: int) -> None:
    lease, now = Lease(expires_at=0.0), 1000.0
    for turn in range(times):
        lease.renew(now)
        doublings = max(0, turn + 1 - STEADY_MESSAGES)
        length = min(FIRST_LEASE * 2**doublings, LONGEST_LEASE)
        assert 0.9 * length <= lease.expires_at - now <= 1.1 * length
        now = lease.expires_at


@given(
    st.dictionaries(st.sampled_from(list(Consumer)), st.integers(0, 30), min_size=3, max_size=3),
    st.lists(st.sampled_from(list(Consumer)), max_size=20),
)
def test_a_partition_is_settled_when_each_consumer_has_done_its_part(
    positions: dict[Consumer, int], doers: list[Consumer]
) -> None:
    partition = Partition.starting(TOPIC, TOPIC_ID, 0, positions)
    low = min(positions.values())
    assert partition.low_watermark == low
    for offset in range(low, 40):
        assert partition.take(record(offset), 100)
        partition.cut()
    assert not partition.take(record(39), 100)
    for consumer in [*doers, *Consumer]:
        done = [key for key, held in partition.window.chunks.items() if consumer in held.leases]
        partition.applied((consumer, *key) for key in done)
    assert partition.low_watermark == 40
    assert not partition.window.chunks
    moved = {consumer: (old, new) for consumer, old, new in partition.advances()}
    assert moved == {consumer: (offset, 40) for consumer, offset in positions.items()}
    partition.note_stored()
    assert partition.advances() == []
