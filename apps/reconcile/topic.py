"""Kafka, as a reader outside of every consumer group sees it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from apps.contract import topic_ids

TIMEOUT: Final = 10.0  # seconds, for what asks the broker
PATIENCE: Final = 30.0  # seconds without a message before the end
# Messages a page: at 64 KiB each no more than 256 MiB.
PAGE: Final = 4_000


class KafkaUnavailable(ConnectionError):
    """Kafka does not answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retained:
    """The oldest retained offset of a partition and the next one to be written."""

    low: int
    high: int


class Topic:
    """One topic; it joins no group and commits nothing."""

    def __init__(self, client: Mapping[str, Any], name: str) -> None:
        self.name = name
        self._client = dict(client)
        self._consumer = KafkaConsumer(
            {
                **client,
                "group.id": "gamemetrics-reconcile",  # demanded; no member of it ever
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                # Retention may pass the place at which we read.
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 65_536,
                "log_level": 0,
            }
        )
        try:
            self._partitions, self.id = self._described()
        except KafkaException as error:
            self._consumer.close()
            raise KafkaUnavailable(f"Kafka: {error}") from error
        except KafkaUnavailable:
            self._consumer.close()
            raise

    def _described(self) -> tuple[list[int], uuid.UUID]:
        metadata = self._consumer.list_topics(self.name, timeout=TIMEOUT)
        partitions = sorted(metadata.topics[self.name].partitions)
        if not partitions:
            raise KafkaUnavailable(f"Kafka has no topic {self.name}")
        cluster_id = metadata.cluster_id or ""
        if cluster_id.startswith(topic_ids.IN_PROCESS_CLUSTER):
            return partitions, topic_ids.of_in_process(cluster_id, self.name)
        admin = AdminClient({**self._client, "log_level": 0})
        described = admin.describe_topics(TopicCollection([self.name]), request_timeout=TIMEOUT)
        found = described[self.name].result(2 * TIMEOUT).topic_id
        return partitions, topic_ids.of_halves(
            found.get_most_significant_bits(), found.get_least_significant_bits()
        )

    def retained(self) -> dict[int, Retained]:
        """The ends of each partition, asked of the broker. Raises KafkaUnavailable."""
        try:
            return {
                number: Retained(low=low, high=high)
                for number in self._partitions
                for low, high in [
                    self._consumer.get_watermark_offsets(
                        TopicPartition(self.name, number), timeout=TIMEOUT
                    )
                ]
            }
        except KafkaException as error:
            raise KafkaUnavailable(f"Kafka: {error}") from error

    def offsets_at(self, moment: datetime) -> dict[int, int]:
        """The first offset of each partition that was written at `moment` or later; -1: none."""
        milliseconds = int(moment.timestamp() * 1000)
        places = [TopicPartition(self.name, number, milliseconds) for number in self._partitions]
        try:
            found = self._consumer.offsets_for_times(places, timeout=TIMEOUT)
        except KafkaException as error:
            raise KafkaUnavailable(f"Kafka: {error}") from error
        return {place.partition: place.offset for place in found}

    def pages(self, partition: int, first: int, until: int) -> Iterator[list[Message]]:
        """The retained messages of `[first, until)`, in pages. Raises KafkaUnavailable."""
        if first >= until:
            return
        try:
            self._consumer.assign([TopicPartition(self.name, partition, first)])
            yield from self._read(partition, until)
            self._consumer.unassign()
        except KafkaException as error:
            raise KafkaUnavailable(f"Kafka: {error}") from error

    def _read(self, partition: int, until: int) -> Iterator[list[Message]]:
        heard = time.monotonic()
        while True:
            batch = self._consumer.consume(PAGE, 0.2)
            messages = [message for message in batch if not message.error()]
            page = [message for message in messages if (message.offset() or 0) < until]
            if page:
                yield page
                heard = time.monotonic()
            if len(page) < len(messages) or self._ended(batch, until):
                return
            if time.monotonic() - heard > PATIENCE:
                raise KafkaUnavailable(f"Kafka: partition {partition} brings nothing more")

    def _ended(self, batch: Iterable[Message], until: int) -> bool:
        for message in batch:
            error = message.error()
            if error is None:
                if message.offset() == until - 1:
                    return True
            elif error.code() == KafkaError._PARTITION_EOF:
                return True
            elif error.fatal():
                raise KafkaUnavailable(f"Kafka: {error.str()}")
        return False

    def close(self) -> None:
        self._consumer.close()
