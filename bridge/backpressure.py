"""When a partition is paused, and when it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.inflight import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How much may be in flight. Events bound what a crash repeats, bytes memory, and chunks the
    queues in strict mode, where every event is a chunk."""

    events: int
    bytes: int
    chunks: int

    def pause(self, window: Window, partitions: int, *, paused: bool) -> bool:
        """Whether a partition is to be paused; each of `partitions` has an equal share.

        It goes on below half of its share: a pause empties the client's prefetch, so pauses
        must be rare.
        """
        used = partitions * max(
            window.events() / self.events,
            window.bytes() / self.bytes,
            len(window.chunks) / self.chunks,
        )
        return used > 0.5 if paused else used >= 1.0

    def room(self, chunks_in_flight: int, chunk_events: int) -> int:
        """How many messages may be taken at once: no more than fill the chunks that are left."""
        return max(1, (self.chunks - chunks_in_flight) * chunk_events)
