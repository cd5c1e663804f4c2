"""What the bridge knows of one partition; dropped as a whole when the partition is revoked."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from apps.contract.chunk import Record, Refused
from apps.contract.queues import Consumer
from bridge.buffer import Buffer
from bridge.inflight import Unsent, Window
from bridge.watermark import Watermark

Range = tuple[Consumer, int, int]
RETENTION_GAP: Final = "retention_gap"
# Messages of a consumer's queue at which no copy is added: two bridges may have 800 first ones.
MOST_QUEUED: Final = 1_000


@dataclass(kw_only=True, slots=True)
class Partition:
    """Offsets flow: buffer -> window (in flight) -> watermarks (applied)."""

    number: int
    buffer: Buffer
    watermarks: dict[Consumer, Watermark]
    window: Window = field(default_factory=Window)
    stored: dict[Consumer, int] = field(default_factory=dict)  # positions as PostgreSQL has them
    paused: bool = False

    @classmethod
    def starting(
        cls, topic: str, topic_id: uuid.UUID, number: int, positions: Mapping[Consumer, int]
    ) -> Partition:
        """At the lowest position of its consumers."""
        start = min(positions.values())
        return cls(
            number=number,
            buffer=Buffer(
                topic=topic,
                topic_id=topic_id,
                partition=number,
                first_offset=start,
                next_offset=start,
            ),
            watermarks={c: Watermark(next_offset=offset) for c, offset in positions.items()},
            stored=dict(positions),
        )

    @property
    def low_watermark(self) -> int:
        """Everything before it is applied by every consumer."""
        return min(watermark.next_offset for watermark in self.watermarks.values())

    def skip_to(self, oldest: int) -> dict[Consumer, int]:
        """Retention took what lies before `oldest`; how many offsets each consumer lost by it.

        Each of them is told in the transaction that lets its watermark pass the gap.
        """
        lost = {
            consumer: watermark.next_offset
            for consumer, watermark in self.watermarks.items()
            if watermark.next_offset < oldest
        }
        gaps = [_gap(consumer, first, oldest) for consumer, first in lost.items()]
        self.buffer.skip(gaps, oldest)
        return {consumer: oldest - first for consumer, first in lost.items()}

    def take(self, item: Record | Refused, size: int) -> bool:
        """Buffer a message; False where its offset came before (a redelivery by the client)."""
        if item.offset < self.buffer.next_offset:
            return False
        self.buffer.add(item, size)
        return True

    def cut(self) -> None:
        """Move the buffered messages, if there are any, into the window."""
        if len(self.buffer):
            chunk = self.buffer.cut()
            behind = [
                consumer
                for consumer, watermark in self.watermarks.items()
                if watermark.next_offset < chunk.next_offset
            ]
            self.window.add(chunk, behind)

    def unsettled(self) -> dict[Consumer, int]:
        """From which first offset on applied chunks of each consumer are news.

        Not simply the watermark: the chunks of a bridge before us, cut at other offsets, can
        carry it into the middle of a chunk of ours, whose own range then begins below it.
        """
        # Chunks enter the window in the order of their offsets.
        return {
            consumer: min(
                watermark.next_offset,
                next(
                    (
                        first_offset
                        for (first_offset, _), held in self.window.chunks.items()
                        if consumer in held.leases
                    ),
                    watermark.next_offset,
                ),
            )
            for consumer, watermark in self.watermarks.items()
        }

    def applied(self, ranges: Iterable[Range]) -> None:
        """Take in what the ledger says is applied."""
        for consumer, first_offset, next_offset in ranges:
            self.watermarks[consumer].add(first_offset, next_offset)
            self.window.done(consumer, first_offset, next_offset)
        for consumer, watermark in self.watermarks.items():
            self.window.passed(consumer, watermark.next_offset)

    def advances(self) -> list[tuple[Consumer, int, int]]:
        """(consumer, stored position, reached position) where they differ."""
        return [
            (consumer, self.stored[consumer], watermark.next_offset)
            for consumer, watermark in self.watermarks.items()
            if watermark.next_offset != self.stored[consumer]
        ]

    def note_stored(self) -> None:
        """PostgreSQL has the reached positions."""
        for consumer, watermark in self.watermarks.items():
            self.stored[consumer] = watermark.next_offset


def unsent(
    partitions: Iterable[Partition], now: float, behind: Callable[[], Mapping[Consumer, int]]
) -> Iterator[Unsent]:
    """What is to be published now; what probably waits in the queue of a consumer that is behind
    is not, for a lease, or as long as copies would make that queue too long."""
    depths: Mapping[Consumer, int] | None = None
    for partition in partitions:
        for held, consumer, lease in partition.window.expired(now):
            if lease.expires_at and depths is None:
                depths = behind()
            depth = depths.get(consumer) if lease.expires_at and depths else None
            if depth is not None and (not lease.waited or depth >= MOST_QUEUED):
                lease.wait(now)
            else:
                yield held, consumer, lease


def _gap(consumer: Consumer, first_offset: int, next_offset: int) -> Refused:
    return Refused(
        offset=next_offset - 1,
        code=RETENTION_GAP,
        pointer="",
        message=(
            f"offsets [{first_offset}, {next_offset}) were deleted by Kafka's retention,"
            f" and {consumer} is not known to have applied them"
        ),
        raw=b"",
        consumer=consumer,
    )
