"""The topic, as Kafka itself tells of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from gamemetrics.stack.environment import GROUP_ID
from tests.faults.rig import TOPIC
from tests.kafka_clients import client_of

PARTITIONS = 3
_64_BITS = 0xFFFFFFFFFFFFFFFF


@dataclass(kw_only=True)
class Topic:
    """One client for many looks; it outlives restarts of the brokers."""

    servers: str
    admin: AdminClient = field(init=False)
    _consumer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.admin = AdminClient(client_of(self.servers))
        self._consumer = Consumer({**client_of(self.servers), "group.id": "faults-looks"})

    def id(self) -> str:
        """The topic's id, as positions and chunks bear it. Raises KafkaException."""
        described = self.admin.describe_topics(TopicCollection([TOPIC]), request_timeout=10)
        found = described[TOPIC].result(20).topic_id
        most, least = found.get_most_significant_bits(), found.get_least_significant_bits()
        return str(uuid.UUID(int=(most & _64_BITS) << 64 | (least & _64_BITS)))

    def bounds(self) -> dict[int, tuple[int, int]]:
        """The first and the next offset of each partition. Raises KafkaException."""
        found = {}
        for number in range(PARTITIONS):
            place = TopicPartition(TOPIC, number)
            bounds = self._consumer.get_watermark_offsets(place, timeout=5)
            if bounds is None:
                raise KafkaException("Kafka does not tell the ends of the topic")
            found[number] = bounds
        return found

    def ends(self) -> dict[int, int]:
        """The next offset of each partition. Raises KafkaException."""
        return {number: bounds[1] for number, bounds in self.bounds().items()}

    def exists(self) -> bool:
        """Whether Kafka knows the topic. Raises KafkaException."""
        return TOPIC in self.admin.list_topics(timeout=5).topics

    def members(self) -> int:
        """Members of the bridges' group that have their partitions; 0 while it rebalances."""
        try:
            told = self.admin.describe_consumer_groups([GROUP_ID], request_timeout=5)
            group = told[GROUP_ID].result(10)
        except KafkaException:
            return 0
        return len(group.members) if group.state == ConsumerGroupState.STABLE else 0

    def leader(self, partition: int) -> int:
        """The node that leads the partition; -1 while there is none. Raises KafkaException."""
        told = self.admin.list_topics(TOPIC, timeout=5)
        return int(told.topics[TOPIC].partitions[partition].leader)

    def close(self) -> None:
        self._consumer.close()
