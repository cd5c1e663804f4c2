"""What the bridge shows of itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from apps.contract.queues import Consumer
from apps.monitoring import metrics
from bridge.courier import Courier, CourierUnavailable
from bridge.partition import Partition
from bridge.source import Source


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

    def slow_consumers(self, partitions: Mapping[int, Partition]) -> set[Consumer]:
        """Consumers whose queue, when last seen, held as many messages as we wait for.

        Nothing of theirs is lost: more copies would only fill the broker.
        """
        waiting = Counter(
            consumer
            for partition in partitions.values()
            for held in partition.window.chunks.values()
            for consumer in held.leases
        )
        return {consumer for consumer, depth in self.depths.items() if depth >= waiting[consumer]}
