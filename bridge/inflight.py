"""Chunks that were published and are not known to be done, and when to publish them again."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from bridge.buffer import for_consumer

FIRST_LEASE: Final = 10.0  # seconds; a small chunk takes some tens of ms, a full one half a second
LONGEST_LEASE: Final = 60.0
# A chunk that kills its worker is isolated by its sixth message (apps/ledger/crashes.py). So many
# come without growing pauses; how many copies wait is bounded by the queue's depth, not by this.
STEADY_MESSAGES: Final = 6


@dataclass(kw_only=True, slots=True)
class Lease:
    """How long a consumer has for a chunk before it is published again; doubles in the end."""

    expires_at: float  # monotonic; 0: not published yet
    seconds: float = FIRST_LEASE
    sent: int = 0  # how often the chunk was published
    share: float = 1.0  # of the message in which it was published last
    waited: int = 0  # leases in a row that were over while the consumer was behind

    def renew(self, now: float, *, share: float = 1.0) -> None:
        """The chunk was published, as that share of a message: start the next lease."""
        self.sent += 1
        self.share = share
        self.waited = 0
        if self.sent > STEADY_MESSAGES:
            self.seconds = min(self.seconds * 2, LONGEST_LEASE)
        # Jitter: chunks that were lost together do not come back together for ever.
        self.expires_at = now + self.seconds * random.uniform(0.9, 1.1)

    def wait(self, now: float) -> None:
        """It probably lies in the queue: no copy before another lease is over."""
        self.waited += 1
        self.postpone(now, self.seconds)

    def postpone(self, now: float, seconds: float) -> None:
        """Publishing failed: try again a little later."""
        self.expires_at = now + seconds


@dataclass(kw_only=True, slots=True)
class InFlight:
    """One chunk and the consumers that have not done it."""

    chunk: Chunk
    leases: dict[Consumer, Lease] = field(default_factory=dict)
    # Of what it carries, about: a character of its records is taken to be a byte. Counted once:
    # each pass asks for it, in strict mode of hundreds of chunks.
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        refused = sum(len(one.raw) for one in self.chunk.refused)
        self.bytes = len(self.chunk.records) + refused

    @property
    def size(self) -> int:
        return self.chunk.next_offset - self.chunk.first_offset

    @property
    def oldest(self) -> float | None:
        """Epoch seconds at which the chunk's oldest event was accepted."""
        return min(self.chunk.accepted_at, default=None)

    def parcel(self, consumer: Consumer) -> Chunk:
        """The chunk as it is sent to the consumer now."""
        sent = self.leases[consumer].sent
        return msgspec.structs.replace(for_consumer(self.chunk, consumer), sent=sent)


Unsent = tuple[InFlight, Consumer, Lease]


def shared(batch: Iterable[Unsent], most: int) -> list[list[Unsent]]:
    """What shares a message: chunks that a consumer is sent for the first time, as long as they
    have `most` events together.

    What was sent before goes alone, since it may have killed the worker that had it; and so does
    what has a refused message in it.
    """
    open_: dict[Consumer, list[Unsent]] = {}
    found: list[list[Unsent]] = []
    for unsent in batch:
        held, consumer, lease = unsent
        plain = lease.sent == 0 and not held.chunk.refused
        message = open_.get(consumer) if plain else None
        if message is not None and held.chunk.events + _events(message) <= most:
            message.append(unsent)
            continue
        found.append([unsent])
        if plain:
            open_[consumer] = found[-1]
    return found


def _events(message: Iterable[Unsent]) -> int:
    return sum(held.chunk.events for held, _, _ in message)


@dataclass(kw_only=True, slots=True)
class Window:
    """The chunks in flight of a partition."""

    chunks: dict[tuple[int, int], InFlight] = field(default_factory=dict)

    def add(self, chunk: Chunk, consumers: list[Consumer]) -> None:
        leases = {consumer: Lease(expires_at=0.0) for consumer in consumers}
        if leases:
            key = (chunk.first_offset, chunk.next_offset)
            self.chunks[key] = InFlight(chunk=chunk, leases=leases)

    def events(self) -> int:
        """How many offsets are in flight."""
        return sum(held.size for held in self.chunks.values())

    def bytes(self) -> int:
        return sum(held.bytes for held in self.chunks.values())

    def expired(self, now: float) -> Iterator[Unsent]:
        """What is to be published now: new chunks and those whose lease is over, in order."""
        for _, held in sorted(self.chunks.items()):
            for consumer, lease in held.leases.items():
                if lease.expires_at <= now:
                    yield held, consumer, lease

    def done(self, consumer: Consumer, first_offset: int, next_offset: int) -> None:
        """The consumer committed this range."""
        held = self.chunks.get((first_offset, next_offset))
        if held is not None:
            held.leases.pop(consumer, None)
            if not held.leases:
                del self.chunks[first_offset, next_offset]

    def passed(self, consumer: Consumer, watermark: int) -> None:
        """The consumer has applied everything before `watermark`."""
        for first_offset, next_offset in list(self.chunks):
            if next_offset <= watermark:
                self.done(consumer, first_offset, next_offset)
