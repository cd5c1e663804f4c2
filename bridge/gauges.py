"""What the bridge shows of itself."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from apps.contract.queues import Consumer
from apps.monitoring import metrics
from bridge.courier import Courier, CourierUnavailable
from bridge.partition import Partition
from bridge.source import Source

_ROUNDING: Final = 1e-6


class Gauges:
    """Sets the bridge's gauges; called about once a second."""

    def __init__(self, source: Source, courier: Courier) -> None:
        self._source = source
        self._courier = courier
        # As last seen; empty where the broker did not answer.
        self.depths: dict[Consumer, int] = {}

    def refresh(self, partitions: Mapping[int, Partition]) -> None:
        oldest: list[float] = []
        for number, partition in partitions.items():
            high = self._source.high(number)
            lag = max(0, high - partition.low_watermark) if high >= 0 else 0
            metrics.consumer_lag.labels(partition=number).set(lag)
            metrics.inflight_chunks.labels(partition=number).set(len(partition.window.chunks))
            oldest += [held.oldest for held in partition.window.chunks.values() if held.oldest]
        age = time.time() - min(oldest) if oldest else 0.0
        metrics.oldest_unapplied_age.set(max(0.0, age))
        try:
            self.depths = self._courier.depths()
        except CourierUnavailable:
            self.depths = {}  # the failing publishes are counted already
        for consumer, depth in self.depths.items():
            metrics.queue_depth.labels(queue=consumer.queue).set(depth)

    def behind(self, partitions: Mapping[int, Partition]) -> Mapping[Consumer, int]:
        """The queues that, when last seen, held as many messages of ours as we wait for, and how
        many messages in all.

        Perhaps nothing of ours is lost. Which messages are of other bridges cannot be seen: their
        share is taken to be that of their partitions.
        """
        share = len(partitions) / max(1, len(partitions), self._source.partition_count())
        waiting: defaultdict[Consumer, float] = defaultdict(float)
        for partition in partitions.values():
            for held in partition.window.chunks.values():
                for consumer, lease in held.leases.items():
                    waiting[consumer] += lease.share
        return {
            consumer: depth
            for consumer, depth in self.depths.items()
            # Thirds add up to a little less or more than one.
            if depth * share >= waiting[consumer] - _ROUNDING
        }
