"""The topic, as Kafka itself tells of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from confluent_kafka import (
    ConsumerGroupState,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

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

    def __post_init__(self) -> None:
        self.admin = AdminClient(client_of(self.servers))

    def id(self) -> str:
        """The topic's id, as positions and chunks bear it. Raises KafkaException."""
        described = self.admin.describe_topics(TopicCollection([TOPIC]), request_timeout=10)
        found = described[TOPIC].result(20).topic_id
        most, least = found.get_most_significant_bits(), found.get_least_significant_bits()
        return str(uuid.UUID(int=(most & _64_BITS) << 64 | (least & _64_BITS)))

    def ends(self) -> dict[int, int]:
        """The next offset of each partition. Raises KafkaException."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        places = {TopicPartition(TOPIC, number): latest for number in range(PARTITIONS)}
        told = self.admin.list_offsets(places, request_timeout=10)
        try:
            return {place.partition: int(found.result(20).offset) for place, found in told.items()}
        except KafkaException:
            # FENCED_LEADER_EPOCH: a client keeps the epoch that it knew before a leader was
            # killed, and asks with it for ever.
            self.admin = AdminClient(client_of(self.servers))
            raise

    def exists(self) -> bool:
        """Whether Kafka knows the topic. Raises KafkaException."""
        return TOPIC in self.admin.list_topics(timeout=5).topics

    def members(self) -> int:
        """Members of the bridges' group that have their partitions; 0 while it rebalances."""
        # Of a client of its own: an older one, which had seen a broker restarted, told for ever of
        # a group that did not rebalance any more.
        admin = AdminClient(client_of(self.servers))
        try:
            told = admin.describe_consumer_groups([GROUP_ID], request_timeout=5)
            group = told[GROUP_ID].result(10)
        except KafkaException:
            return 0
        return len(group.members) if group.state == ConsumerGroupState.STABLE else 0

    def leader(self, partition: int) -> int:
        """The node that leads the partition; -1 while there is none. Raises KafkaException."""
        told = self.admin.list_topics(TOPIC, timeout=5)
        return int(told.topics[TOPIC].partitions[partition].leader)
