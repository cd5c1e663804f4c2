"""The ledger in memory, for tests and dry runs; it passes the same contract suite."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from bridge.ledger import Advance, PositionMoved, Positions

Key = tuple[uuid.UUID, Consumer, int]  # topic id, consumer, partition


class MemoryLedger:
    """Positions and applied chunks in two dictionaries; `apply` is what a worker would commit."""

    def __init__(self) -> None:
        self._positions: dict[Key, int] = {}
        self._chunks: dict[Key, set[tuple[int, int]]] = {}

    def apply(self, consumer: Consumer, chunk: Chunk) -> None:
        """Note a chunk as applied, as the worker's transaction does."""
        key = (chunk.topic_id, consumer, chunk.partition)
        if self._positions.get(key, -1) < chunk.next_offset:
            self._chunks.setdefault(key, set()).add((chunk.first_offset, chunk.next_offset))

    def positions(self, topic_id: uuid.UUID, starts: Mapping[int, int]) -> Positions:
        return {
            partition: {
                consumer: self._positions.setdefault((topic_id, consumer, partition), start)
                for consumer in Consumer
            }
            for partition, start in starts.items()
        }

    def applied(
        self, topic_id: uuid.UUID, watermarks: Mapping[tuple[Consumer, int], int]
    ) -> list[tuple[Consumer, int, int, int]]:
        return [
            (consumer, partition, first_offset, next_offset)
            for (consumer, partition), low in watermarks.items()
            for first_offset, next_offset in self._chunks.get((topic_id, consumer, partition), ())
            if first_offset >= low
        ]

    def advance(self, topic_id: uuid.UUID, advances: Iterable[Advance]) -> None:
        moves = {(topic_id, a.consumer, a.partition): a for a in advances}
        missed = [key for key, a in moves.items() if self._positions.get(key) != a.old]
        if missed:
            raise PositionMoved(f"{len(missed)} positions are not where we left them")
        self._positions.update({key: a.new for key, a in moves.items()})

    def prune(self, topic_id: uuid.UUID) -> int:
        """Forgets at once what is below the positions; PostgreSQL keeps it for an hour."""
        forgotten = 0
        for key, held in self._chunks.items():
            if key[0] == topic_id and key in self._positions:
                done = {range_ for range_ in held if range_[1] <= self._positions[key]}
                held -= done
                forgotten += len(done)
        return forgotten

    def close(self) -> None:
        """There is no connection to let go."""
