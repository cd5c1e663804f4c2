"""Cutting chunks: whatever arrived within the linger, up to a number of events and bytes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Final

import msgspec

from apps.contract.chunk import Chunk, Record, Refused, encode_records, epoch
from apps.contract.queues import Consumer

# Cuts in flight at most, as long as there is no full chunk: one is being applied, and of the one
# before it the ledger has not been asked yet. With more of them the queues would hold what larger
# chunks do in less time (docs/decisions/0046).
CUTS_IN_FLIGHT: Final = 2
# Of a linger: what the broker kept back for one linger is not to miss a cut by a hair, and wait for
# the next.
STEP: Final = 0.8
# Events of all partitions that are too few for a cut as soon as others; they wait twice the pause,
# unless more come. A cut costs the same for one event as for ten (docs/decisions/0046).
FEW: Final = 5
# Seconds that a cut waits after the first message came to an empty buffer: a fetch brings those of
# several partitions one after the other.
SETTLING: Final = 0.002
# Seconds; the longest pause, where the linger is not longer. While a consumer is away the other two
# go on, that much later.
LONGEST: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class CutPolicy:
    """When chunks are closed; seconds.

    A chunk is full only where there is a backlog, and the larger it is, the less an event costs:
    its events fold to fewer rows (docs/decisions/0056).
    """

    max_events: int
    max_bytes: int
    linger: float

    def pause(self, cuts_in_flight: float, waiting: int) -> float:
        """How long after the last cut of all partitions the next may be.

        A stream of events is cut at a steady pace, however few come between two cuts: what a
        message costs, whatever is in it, is what small ones would queue for. All partitions are cut
        together to share the messages. The broker has kept an event back for up to a linger
        already (`KafkaSource`), so it does not wait for another here, unless few are `waiting`.
        Where the consumers do not keep that pace, their own is kept: the next cut is made when one
        of those before it is done.
        """
        if cuts_in_flight < CUTS_IN_FLIGHT:
            return self.linger * STEP * (2 if waiting < FEW else 1)
        return max(self.linger, LONGEST)


@dataclass(kw_only=True, slots=True)
class Buffer:
    """The open chunk of a partition."""

    topic: str
    topic_id: uuid.UUID
    partition: int
    first_offset: int
    next_offset: int
    bytes: int = 0
    _records: list[Record] = field(default_factory=list)
    _refused: list[Refused] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._records) + len(self._refused)

    def add(self, item: Record | Refused, size: int) -> None:
        """Append the message at `item.offset`, which is not below `next_offset`."""
        if item.offset < self.next_offset:
            raise ValueError(f"offset {item.offset} is before {self.next_offset}")
        if isinstance(item, Record):
            self._records.append(item)
        else:
            self._refused.append(item)
        self.bytes += size
        self.next_offset = item.offset + 1

    def skip(self, lost: list[Refused], oldest: int) -> None:
        """Begin with a gap up to `oldest`, which is due at once: the watermark waits for it."""
        self._refused += lost
        self.next_offset = oldest

    def full(self, policy: CutPolicy) -> bool:
        return len(self) >= policy.max_events or self.bytes >= policy.max_bytes

    def cut(self) -> Chunk:
        """Close the chunk; the next one begins where it ends."""
        chunk = Chunk(
            topic=self.topic,
            topic_id=self.topic_id,
            partition=self.partition,
            first_offset=self.first_offset,
            next_offset=self.next_offset,
            events=len(self._records),
            records=encode_records(self._records),
            accepted_at=[epoch(record.ingested_at) for record in self._records],
            refused=self._refused,
        )
        self.first_offset = self.next_offset
        self._records, self._refused, self.bytes = [], [], 0
        return chunk


def for_consumer(chunk: Chunk, consumer: Consumer) -> Chunk:
    """The chunk with what the consumer is to dead-letter, and nobody else's."""
    if not chunk.refused:
        return chunk
    return msgspec.structs.replace(
        chunk,
        refused=[
            refused
            for refused in chunk.refused
            if (refused.consumer or Consumer.LOGGING) is consumer
        ],
    )
