"""The topic: its id, and where its partitions end."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # OffsetSpec is no export
    AdminClient,
    OffsetSpec,
)

from apps.contract import topic_ids
from apps.demo.failure import Failed

TIMEOUT: Final = 10.0  # seconds
_LATEST: Final[Any] = OffsetSpec.latest()  # type: ignore[no-untyped-call]


class KafkaUnavailable(Failed):
    """Kafka does not answer."""


class Topic:
    """One topic, looked at from outside of any consumer group."""

    def __init__(self, client: Mapping[str, Any], name: str) -> None:
        self.name = name
        self._admin = AdminClient({**client, "log_level": 0})
        metadata = self._metadata()
        self._partitions = [
            TopicPartition(name, number) for number in metadata.topics[name].partitions
        ]
        self.in_memory = str(metadata.cluster_id).startswith(topic_ids.IN_PROCESS_CLUSTER)
        self.id = self._id(str(metadata.cluster_id))

    def ends(self) -> dict[int, int]:
        """For each partition the offset of the next message to be written."""
        wanted = dict.fromkeys(self._partitions, _LATEST)
        try:
            futures = self._admin.list_offsets(wanted, request_timeout=TIMEOUT)
            return {place.partition: future.result().offset for place, future in futures.items()}
        except KafkaException as error:
            raise KafkaUnavailable(f"Kafka: {error}") from error

    def _metadata(self) -> Any:
        try:
            return self._admin.list_topics(self.name, timeout=TIMEOUT)
        except KafkaException as error:
            raise KafkaUnavailable(f"Kafka: {error}") from error

    def _id(self, cluster_id: str) -> uuid.UUID:
        if self.in_memory:
            return topic_ids.of_in_process(cluster_id, self.name)
        futures = self._admin.describe_topics(TopicCollection([self.name]), request_timeout=TIMEOUT)
        try:
            described = futures[self.name].result().topic_id
        except KafkaException as error:
            raise KafkaUnavailable(f"Kafka: {error}") from error
        return topic_ids.of_halves(
            described.get_most_significant_bits(), described.get_least_significant_bits()
        )
