"""The bridge's loop: Kafka to the queues, and again until PostgreSQL says done."""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from apps.contract.chunk import Refused
from apps.contract.queues import Consumer
from apps.contract.reading import read
from apps.failpoints.points import Failpoint, reach
from apps.monitoring import metrics
from bridge.assignment import report_recreated, start
from bridge.buffer import FEW, SETTLING
from bridge.courier import Courier, CourierUnavailable
from bridge.gauges import Gauges
from bridge.inflight import Unsent, shared
from bridge.ledger import Advance, Ledger, LedgerUnavailable, PositionMoved
from bridge.partition import Partition, unsent
from bridge.settings import (
    BATCH_MESSAGES,
    IDLE_SECONDS,
    PASS_SECONDS,
    PUBLISH_SECONDS,
    RETRY_SECONDS,
    BridgeSettings,
)
from bridge.source import PASS_MESSAGES, PlaceLost, Source, SourceUnavailable

logger = logging.getLogger(__name__)


class Bridge:
    """One member of the consumer group. One thread: no call blocks longer than its time-out, and
    Kafka is polled on through every outage, so that none of them causes a rebalance."""

    def __init__(
        self,
        settings: BridgeSettings,
        *,
        topic: str,
        source: Source,
        ledger: Ledger,
        courier: Courier,
        beat: Callable[[], None],
        duty: Callable[[float], None] = lambda now: None,
    ) -> None:
        self.settings = settings
        self.topic = topic
        self.source = source
        self.ledger = ledger
        self.courier = courier
        self.beat = beat
        self.duty = duty  # once a pass, whatever becomes of Kafka
        self.topic_id: uuid.UUID | None = None
        self.partitions: dict[int, Partition] = {}
        self._assigned: list[int] = []
        self._cut_at = -math.inf
        self._first_at = -math.inf  # when a message came to buffers that were all empty
        self._more = False  # the client holds more than it was asked for
        self._start_at: float | None = None  # monotonic; when to (re)start the assignment
        self._due = dict.fromkeys(("ledger", "positions", "commit", "prune", "topic"), 0.0)
        self._gauges = Gauges(source, courier)

    def assigned(self, partitions: list[int]) -> None:
        """The group gave us these partitions; they start from PostgreSQL's positions."""
        self._assigned = partitions
        self._restart("assigned", wait=0.0)

    def revoked(self) -> None:
        """All that we knew of the partitions is void: another bridge may own them now."""
        self._assigned = []
        self._start_at = None
        self._drop()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Until `stopping`; raises what a restart of the process has to mend."""
        while not stopping():
            self.step(time.monotonic())
        self._stop()

    def step(self, now: float) -> None:
        """One pass; `now` is monotonic."""
        self.beat()
        self.duty(now)
        try:
            if self._start_at is not None and now >= self._start_at:
                self._start()
            self._take()
            now = time.monotonic()
            self._cut(now)
            self._publish(now)
            if self._is_due("ledger", now, self.settings.ledger_interval):
                self._read_ledger()
            if self._is_due("positions", now, self.settings.position_interval):
                self._store_positions()
            self._bound()
            self._housekeeping(now)
        except (LedgerUnavailable, SourceUnavailable) as error:
            # PostgreSQL may come back older than what we know (failover): start from its word.
            metrics.errors.labels(consumer="bridge", cause="outage").inc()
            self._restart(str(error), wait=RETRY_SECONDS)
        except (PositionMoved, PlaceLost) as error:
            self._restart(str(error), wait=0.0)

    def chunks_in_flight(self) -> int:
        return sum(len(partition.window.chunks) for partition in self.partitions.values())

    def _take(self) -> None:
        in_flight = self.chunks_in_flight()
        room = self.settings.bounds.room(in_flight, self.settings.policy.max_events)
        waiting = self._waiting()
        if self._more:
            seconds = 0.0
        elif waiting:
            seconds = max(0.0, min(self._cut_due(waiting) - time.monotonic(), self._until_ledger()))
            if _events(waiting) >= FEW:
                # They wait for their cut: more may come with them, and a pass for each message
                # would cost more than the message. The few wait for more.
                time.sleep(seconds)
                seconds = 0.0
        else:
            seconds = self._until_ledger() if in_flight else IDLE_SECONDS
        most = min(room, PASS_MESSAGES)
        messages = self.source.poll(seconds, most)
        self._more = len(messages) == most
        if not messages or self.topic_id is None:
            return
        reach(Failpoint.BRIDGE_POLLED)
        if not waiting:
            self._first_at = time.monotonic()
        now = datetime.now(UTC)
        for message in messages:
            partition = self.partitions.get(message.partition() or 0)
            if partition is None:
                continue  # revoked while the message was on its way
            item = read(message, self.topic_id, now)
            if not partition.take(item, len(message)):
                continue
            if isinstance(item, Refused):
                metrics.messages_refused.labels(code=item.code).inc()
            if partition.buffer.full(self.settings.policy):
                partition.cut()

    def _pause(self, waiting: Sequence[Partition]) -> float:
        """Seconds between two cuts; a cut makes a chunk of each partition that has something."""
        cuts = self.chunks_in_flight() / max(1, len(self.partitions))
        return self.settings.policy.pause(cuts, _events(waiting))

    def _until_ledger(self) -> float:
        """Seconds until the ledger is looked at again; a pass before it has nothing to do but to
        take what comes."""
        return max(PASS_SECONDS, self._due["ledger"] - time.monotonic())

    def _waiting(self) -> list[Partition]:
        """The partitions that have something to cut."""
        return [partition for partition in self.partitions.values() if len(partition.buffer)]

    def _cut_due(self, waiting: Sequence[Partition]) -> float:
        """When what waits is to be cut."""
        pause = self._pause(waiting)
        return max(self._cut_at + pause, self._first_at + min(pause, SETTLING))

    def _cut(self, now: float) -> None:
        if (waiting := self._waiting()) and now >= self._cut_due(waiting):
            self._cut_at = now
            for partition in waiting:
                partition.cut()

    def _publish(self, now: float) -> None:
        behind = partial(self._gauges.behind, self.partitions)
        due = unsent(self.partitions.values(), now, behind)
        while batch := list(islice(due, BATCH_MESSAGES)):
            if not self._send(batch, now) or time.monotonic() - now > PUBLISH_SECONDS:
                return  # the rest is still due in the next pass

    def _send(self, batch: Sequence[Unsent], now: float) -> bool:
        messages = shared(batch, self.settings.policy.max_events)
        try:
            self.courier.send(
                [
                    (message[0][1], [held.parcel(consumer) for held, consumer, _ in message])
                    for message in messages
                ]
            )
        except CourierUnavailable as error:
            metrics.errors.labels(consumer="bridge", cause="outage").inc()
            logger.warning("broker takes no chunks", extra={"error": str(error)})
            # All wait, not this batch alone: each try costs a time-out.
            for partition in self.partitions.values():
                for _, _, other in partition.window.expired(now):
                    other.postpone(now, RETRY_SECONDS)
            return False
        for message in messages:
            for _, consumer, lease in message:
                reach(Failpoint.BRIDGE_SENT, consumer.value)
                reason = "lease" if lease.expires_at else "first"
                metrics.chunks_published.labels(consumer=consumer.value, reason=reason).inc()
                lease.renew(now, share=1 / len(message))
        return True

    def _read_ledger(self) -> None:
        if self.topic_id is None or not self.chunks_in_flight():
            return
        from_offsets = {
            (consumer, partition.number): from_offset
            for partition in self.partitions.values()
            if partition.window.chunks
            for consumer, from_offset in partition.unsettled().items()
        }
        ranges: dict[int, list[tuple[Consumer, int, int]]] = {}
        for consumer, number, first, following in self.ledger.applied(self.topic_id, from_offsets):
            ranges.setdefault(number, []).append((consumer, first, following))
        for number, found in ranges.items():
            self.partitions[number].applied(found)

    def _store_positions(self) -> None:
        if self.topic_id is None:
            return
        advances = [
            Advance(consumer=consumer, partition=partition.number, old=old, new=new)
            for partition in self.partitions.values()
            for consumer, old, new in partition.advances()
        ]
        self.ledger.advance(self.topic_id, advances)
        if advances:
            reach(Failpoint.BRIDGE_STORED)
        for partition in self.partitions.values():
            partition.note_stored()

    def _bound(self) -> None:
        for partition in self.partitions.values():
            pause = self.settings.bounds.pause(
                partition.window, len(self.partitions), paused=partition.paused
            )
            if pause != partition.paused:
                (self.source.pause if pause else self.source.resume)(partition.number)
                partition.paused = pause

    def _housekeeping(self, now: float) -> None:
        looks = self.topic_id and self._is_due("topic", now, self.settings.topic_interval)
        if looks and self.source.seen_topic_id() not in (None, self.topic_id):
            raise PlaceLost("the topic was made anew")
        if self._is_due("commit", now, self.settings.commit_interval):
            self._gauges.refresh(self.partitions)
            self._commit()
        if self.topic_id is not None and self._is_due("prune", now, self.settings.prune_interval):
            self.ledger.prune(self.topic_id)

    def _is_due(self, duty: str, now: float, interval: float) -> bool:
        if now < self._due[duty]:
            return False
        self._due[duty] = now + interval
        return True

    def _commit(self) -> None:
        lows = {number: p.low_watermark for number, p in self.partitions.items()}
        if lows:
            self.source.commit(lows)

    def _restart(self, why: str, *, wait: float) -> None:
        logger.info("partitions start anew", extra={"why": why, "partitions": self._assigned})
        self._drop()
        self._start_at = time.monotonic() + wait if self._assigned else None

    def _drop(self) -> None:
        if self.partitions:
            self.source.start({})
        self.partitions = {}

    def _start(self) -> None:
        found = self.source.topic_id()
        if self.topic_id not in (None, found):
            report_recreated(self.topic, found)
        self.topic_id = found
        self.partitions = start(
            self.source, self.ledger, topic=self.topic, topic_id=found, numbers=self._assigned
        )
        self._start_at = None

    def _stop(self) -> None:
        """Store how far we are, and leave the group so that the partitions move at once."""
        try:
            self._read_ledger()
            self._store_positions()
            self._commit()
        except (LedgerUnavailable, PositionMoved) as error:
            logger.info("positions not stored at the end", extra={"error": str(error)})
        self.source.close()
        self.ledger.close()


def _events(waiting: Sequence[Partition]) -> int:
    return sum(len(partition.buffer) for partition in waiting)
