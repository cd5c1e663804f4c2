"""How the bridge cuts and bounds its work."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.buffer import CutPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class BridgeSettings:
    """Bounds are per bridge process, over all its partitions."""

    policy: CutPolicy
    # Beyond either bound a partition is paused. Events bound memory and what a crash repeats;
    # chunks bound the queues in strict mode, where every event is a chunk.
    max_events_in_flight: int = 20_000
    max_chunks_in_flight: int = 400
    ledger_interval: float = 0.02  # seconds between two looks at the ledger
    position_interval: float = 0.25  # between two writes of positions
    commit_interval: float = 1.0  # between two commits to Kafka, and two looks at gauges
    prune_interval: float = 60.0
