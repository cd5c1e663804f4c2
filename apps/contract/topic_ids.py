"""The id of a topic, as positions and chunks bear it: a re-created topic is another."""

from __future__ import annotations

import uuid
from typing import Final

# How the cluster id of librdkafka's in-process broker begins.
IN_PROCESS_CLUSTER: Final = "mockCluster"
_64_BITS: Final = 0xFFFFFFFFFFFFFFFF


def of_halves(most: int, least: int) -> uuid.UUID:
    """Kafka's own id, from the two signed 64-bit halves that the client gives."""
    return uuid.UUID(int=(most & _64_BITS) << 64 | (least & _64_BITS))


def of_in_process(cluster_id: str, topic: str) -> uuid.UUID:
    """For the in-process broker, which describes no topics and is another at every start."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{cluster_id}/{topic}")
