"""Kafka, as the bridge sees it."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from apps.contract import topic_ids
from apps.kafka.lookout import Lookout, answers
from apps.kafka.reports import Reports
from apps.kafka.trouble import CUT_OFF

logger = logging.getLogger(__name__)
TIMEOUT: Final = 10.0  # seconds, for what asks the broker
# Messages that one pass takes at most; the loop has other duties every few ms.
PASS_MESSAGES: Final = 1_000
# A fetch that finds so much does not wait: some 1,000 events.
FETCH_BYTES: Final = 256 * 1024
# A topic that is gone may be another when it is there again, with the same offsets.
_LOST_PLACE = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.UNKNOWN_TOPIC_ID,
    }
)


class SourceUnavailable(Exception):
    """Kafka does not answer."""


class PlaceLost(Exception):
    """The partition no longer has the offset at which we read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ends:
    """The oldest retained offset and the next one to be written."""

    low: int
    high: int


class Source(Protocol):
    """A consumer group's member that reads one topic and commits by hand."""

    def poll(self, seconds: float, most: int = PASS_MESSAGES) -> list[Message]:
        """Up to `most` messages of the assigned partitions, waiting `seconds` for the first.

        Raises PlaceLost, SourceUnavailable.
        """

    def topic_id(self) -> uuid.UUID:
        """Kafka's id of the topic: a topic that was deleted and made anew has another."""

    def seen_topic_id(self) -> uuid.UUID | None:
        """The id that the broker answered since the last call, without waiting; asks again."""

    def partition_count(self) -> int:
        """How many partitions the topic had when its id was asked; 0 before."""

    def ends(self, partition: int) -> Ends:
        """The partition's ends, asked of the broker."""

    def high(self, partition: int) -> int:
        """The partition's end as last seen, without asking; -1 if never seen."""

    def start(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets; none of them is paused then."""

    def pause(self, partition: int) -> None: ...

    def resume(self, partition: int) -> None: ...

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell Kafka the next offsets, for lag tools; a failure is no failure of ours."""

    def close(self) -> None: ...


class KafkaSource:
    """Eager rebalancing, explicit commits.

    An assignment is not started by librdkafka: `on_assign` is told, and `start` is called with
    the positions of PostgreSQL. The broker may keep a fetch waiting for `linger` seconds, so that
    what it brings is a chunk's worth.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        *,
        topic: str,
        group_id: str,
        on_assign: Callable[[list[int]], None],
        on_revoke: Callable[[], None],
        linger: float = 0.0,
    ) -> None:
        self._topic = topic
        self._linger = linger
        self._on_assign = on_assign
        self._on_revoke = on_revoke
        self._reports = Reports("bridge", {"topic": topic, "group_id": group_id})
        # Without error_cb a refused login is an error of no call: poll would give nothing for ever.
        self._client = {**client, "error_cb": self._reports.take, "log_level": 3}
        self._in_process = False
        self._asking: tuple[AdminClient, Future[Any]] | None = None
        self._retired: list[AdminClient] = []
        # It works while the group has a place for us, be it without a partition.
        self._lookout = Lookout(answers=lambda: answers(client, topic))
        self._group_id = group_id
        self._known: uuid.UUID | None = None
        self._partition_count = 0
        self._consumer = self._join()

    def _join(self) -> KafkaConsumer:
        consumer = KafkaConsumer(
            {
                **self._client,
                "group.id": self._group_id,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "partition.assignment.strategy": "range",
                # A killed bridge's partitions are free after this.
                "session.timeout.ms": 10_000,
                "heartbeat.interval.ms": 2_000,
                "max.poll.interval.ms": 300_000,
                **_waits(self._linger),
                "fetch.error.backoff.ms": 100,
                "queued.max.messages.kbytes": 65_536,
                # A topic that we were not allowed to see is looked for again after this.
                "topic.metadata.refresh.interval.ms": 10_000,
            }
        )
        consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked)
        self._lookout.fails(time.monotonic())
        return consumer

    def _replace(self) -> None:
        """Take another client in the place of one that does not find back to its group."""
        self._reports.note(CUT_OFF, time.monotonic())
        # Not destroyed: with a request on its way an admin client aborts the process.
        if self._asking is not None:
            self._retired.append(self._asking[0])
            self._asking = None
        self._lookout.works()
        old, self._consumer = self._consumer, self._join()
        # It may wait for its brokers for ever.
        threading.Thread(target=old.close, name="cut-off-consumer", daemon=True).start()

    def _assigned(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        consumer.assign([])  # handled: nothing is read before `start`
        if consumer is not self._consumer:
            return
        self._lookout.works()
        self._reports.works()
        self._on_assign([partition.partition for partition in partitions])

    def _revoked(self, consumer: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        consumer.unassign()
        if consumer is not self._consumer:
            return
        self._lookout.fails(time.monotonic())
        self._on_revoke()

    def poll(self, seconds: float, most: int = PASS_MESSAGES) -> list[Message]:
        if self._lookout.is_lost(now := time.monotonic()) and self._reports.denial(now) is None:
            self._replace()
        first = self._consumer.poll(seconds)
        if first is None:
            return []
        if first.error() is None:
            self._reports.works()
        more = self._consumer.consume(most - 1, 0) if most > 1 else []
        messages = [first, *more]
        return [message for message in messages if not self._is_error(message)]

    def _is_error(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.fatal():
            raise KafkaException(error)
        if error.code() in _LOST_PLACE:
            raise PlaceLost(f"partition {message.partition()}: {error.str()}")
        self._reports.take(error)
        return True

    def topic_id(self) -> uuid.UUID:
        metadata = self._metadata()
        self._partition_count = len(metadata.topics[self._topic].partitions)
        cluster_id = metadata.cluster_id or ""
        self._in_process = cluster_id.startswith(topic_ids.IN_PROCESS_CLUSTER)
        if self._in_process:
            return topic_ids.of_in_process(cluster_id, self._topic)
        self._asking = None  # what was asked before may be older than this answer
        asked = self._ask()
        try:
            found = _id_of(asked[1].result(2 * TIMEOUT))
        except KafkaException as error:
            raise SourceUnavailable(str(error)) from error
        known, self._known = self._known, found
        if known not in (None, found):
            # librdkafka ignores a leader epoch below the one that it knew, and would ask the new
            # topic's leader with the old one for ever.
            self._consumer.close()
            self._consumer = self._join()
            raise SourceUnavailable("the topic was made anew; a new client joins the group")
        return found

    def seen_topic_id(self) -> uuid.UUID | None:
        if self._in_process:
            return None
        asking, found = self._asking, None
        if asking is not None:
            if not asking[1].done():
                return None
            if asking[1].exception() is None:
                found = _id_of(asking[1].result())
        self._asking = self._ask(asking[0] if asking else None)
        return found

    def partition_count(self) -> int:
        return self._partition_count

    def _ask(self, admin: AdminClient | None = None) -> tuple[AdminClient, Future[Any]]:
        """Ask for the topic's description; an admin client that nobody holds never answers."""
        admin = admin or AdminClient(self._client)
        described = admin.describe_topics(TopicCollection([self._topic]), request_timeout=TIMEOUT)
        return admin, described[self._topic]

    def _metadata(self) -> Any:
        try:
            return self._consumer.list_topics(self._topic, timeout=TIMEOUT)
        except KafkaException as error:
            raise SourceUnavailable(str(error)) from error

    def ends(self, partition: int) -> Ends:
        place = TopicPartition(self._topic, partition)
        try:
            low, high = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT)
        except KafkaException as error:
            raise SourceUnavailable(str(error)) from error
        return Ends(low=low, high=high)

    def high(self, partition: int) -> int:
        place = TopicPartition(self._topic, partition)
        ends = self._consumer.get_watermark_offsets(place, cached=True)
        return ends[1] if ends else -1

    def start(self, offsets: Mapping[int, int]) -> None:
        places = _places(self._topic, offsets)
        self._consumer.assign(places)
        # The client remembers a pause beyond the assignment in which it was asked for: a partition
        # that was full at a rebalance would never be read again.
        self._consumer.resume(places)

    def pause(self, partition: int) -> None:
        self._consumer.pause([TopicPartition(self._topic, partition)])

    def resume(self, partition: int) -> None:
        self._consumer.resume([TopicPartition(self._topic, partition)])

    def commit(self, offsets: Mapping[int, int]) -> None:
        try:
            self._consumer.commit(offsets=_places(self._topic, offsets), asynchronous=True)
        except KafkaException as error:
            logger.info("offsets not committed", extra={"error": str(error)})

    def close(self) -> None:
        self._consumer.close()


def _waits(linger: float) -> dict[str, int]:
    """How long the broker keeps a fetch waiting; without a linger, only for the first byte."""
    if not linger:
        return {"fetch.min.bytes": 1, "fetch.wait.max.ms": 500}
    return {"fetch.min.bytes": FETCH_BYTES, "fetch.wait.max.ms": max(1, round(linger * 1000))}


def _id_of(description: Any) -> uuid.UUID:
    found = description.topic_id
    return topic_ids.of_halves(
        found.get_most_significant_bits(), found.get_least_significant_bits()
    )


def _places(topic: str, offsets: Mapping[int, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
