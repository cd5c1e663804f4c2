"""How the bridge cuts and bounds its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.backpressure import Bounds
from bridge.buffer import CutPolicy

BOUNDS: Final = Bounds(events=40_000, bytes=24 * 1024 * 1024, chunks=400)
RETRY_SECONDS: Final = 1.0
# The least between two passes while something is on its way, and for how long one may wait when
# nothing is.
PASS_SECONDS: Final = 0.003
IDLE_SECONDS: Final = 0.1
# What one pass may spend on sending. In strict mode a poll can bring thousands of chunks, and
# until they are all sent no position would move and no partition be paused.
PUBLISH_SECONDS: Final = 0.1
# Messages of one round trip to the broker, some 80 MB where all are of the greatest size and cannot
# be compressed.
BATCH_MESSAGES: Final = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class BridgeSettings:
    """`bounds` are those of the process, over all its partitions."""

    policy: CutPolicy
    bounds: Bounds = BOUNDS
    ledger_interval: float = 0.02  # seconds between two looks at the ledger
    position_interval: float = 0.25  # between two writes of positions
    commit_interval: float = 1.0  # between two commits to Kafka, and two looks at gauges
    prune_interval: float = 1.0  # between two looks for chunks to forget
    topic_interval: float = 2.0  # between two looks at the topic's id
