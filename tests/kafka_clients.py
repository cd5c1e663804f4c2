"""Kafka clients of tests, silent about a broker that ends before they do, and their topics."""

from __future__ import annotations

import logging
from typing import Any

from confluent_kafka.admin import AdminClient

from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.topic import ensure_topic

_SILENT = logging.getLogger("tests.librdkafka")
_SILENT.setLevel(logging.CRITICAL)


def client_of(servers: str) -> dict[str, Any]:
    """librdkafka's settings; what it would write to standard error goes to a silent logger."""
    return {"bootstrap.servers": servers, "logger": _SILENT}


def make_topic(servers: str, topic: str, partitions: int) -> None:
    """Make it, and wait until the brokers tell of it: they do so a little later."""
    ensure_topic(servers, topic, partitions)
    admin = AdminClient(client_of(servers))

    def led() -> bool:
        found = admin.list_topics(topic, timeout=5).topics[topic]
        leaders = [partition.leader for partition in found.partitions.values()]
        return found.error is None and len(leaders) == partitions and min(leaders) >= 0

    assert wait_until(led, seconds=30), f"{topic} has no leaders"
