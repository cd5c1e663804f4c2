"""The topic that events travel on."""

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from gamemetrics.stack.errors import StackError
from gamemetrics.stack.processes import wait_until

# How the cluster id of librdkafka's in-process broker begins.
FALLBACK_CLUSTER = "mockCluster"
WEEK_MS = 7 * 24 * 3600 * 1000
ASK_SECONDS = 3.0


class TopicNotMade(StackError):
    """Kafka did not make the topic."""


class KafkaSilent(StackError):
    """Kafka does not answer, or does not let us in."""


def answers(bootstrap_servers: str, access: Mapping[str, str] | None = None) -> bool:
    """Whether a broker there tells its metadata."""
    try:
        _admin(bootstrap_servers, access).list_topics(timeout=2)
    except KafkaException:
        return False
    return True


def ensure_topic(
    bootstrap_servers: str,
    topic: str,
    partitions: int = 3,
    *,
    retention_ms: int = WEEK_MS,
    replication_factor: int = 1,
    access: Mapping[str, str] | None = None,
    timeout_seconds: float = 30,
) -> bool:
    """Makes the topic if it is missing, and waits until it can be written to.

    True if it was made now. One that exists is left as it is. `access` are librdkafka settings
    (SASL, TLS). The fallback broker makes any topic that is asked for, with its own four
    partitions.
    """
    admin = _admin(bootstrap_servers, access)
    cluster = _cluster(admin, bootstrap_servers, timeout_seconds)
    if topic in cluster.topics:
        return False
    if (cluster.cluster_id or "").startswith(FALLBACK_CLUSTER):
        # Its create_topics never answers; naming a topic makes it.
        return topic in admin.list_topics(topic, timeout=timeout_seconds).topics
    wanted = NewTopic(
        topic,
        num_partitions=partitions,
        replication_factor=replication_factor,
        config={"retention.ms": str(retention_ms)},
    )
    (made,) = admin.create_topics([wanted], operation_timeout=timeout_seconds).values()
    try:
        made.result(timeout=timeout_seconds)
    except KafkaException as problem:
        code = problem.args[0].code()
        if code == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise TopicNotMade(f"Kafka did not make the topic {topic}: {problem}") from problem
    if not wait_until(lambda: _is_led(admin, topic, partitions), seconds=timeout_seconds):
        raise TopicNotMade(f"Kafka made the topic {topic}, but its partitions have no leaders")
    return True


def _is_led(admin: AdminClient, topic: str, partitions: int) -> bool:
    """Whether the brokers tell of every partition's leader: they do a little after it was made."""
    try:
        found = admin.list_topics(topic, timeout=ASK_SECONDS).topics[topic]
    except KafkaException:
        return False
    leaders = [partition.leader for partition in found.partitions.values()]
    return found.error is None and len(leaders) == partitions and min(leaders) >= 0


def _cluster(admin: AdminClient, bootstrap_servers: str, timeout_seconds: float) -> Any:
    """The cluster's metadata, asked for until the time is over or the broker has refused us."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return admin.list_topics(timeout=min(timeout_seconds, ASK_SECONDS))
        except KafkaException as problem:
            refusal = _refusal(admin)
            if not refusal and time.monotonic() < deadline:
                continue
            raise KafkaSilent(
                f"Kafka at {bootstrap_servers} does not let us in (KAFKA_BOOTSTRAP_SERVERS,"
                " KAFKA_SECURITY_PROTOCOL, KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_SSL_CA_LOCATION):"
                f" {refusal or problem}"
            ) from problem


def _refusal(admin: AdminClient) -> str:
    """Why the broker refused us, as far as it was reported; else empty."""
    try:
        admin.poll(0)
    except KafkaException as problem:
        return str(problem.args[0].str())
    return ""


def _refused(error: KafkaError) -> None:
    if error.code() in {KafkaError._AUTHENTICATION, KafkaError._SSL}:
        raise KafkaException(error)


def _admin(bootstrap_servers: str, access: Mapping[str, str] | None) -> AdminClient:
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap_servers,
        # Quiet: while a broker starts, librdkafka tells every refused connection.
        "log_level": 0,
        "error_cb": _refused,
        **(access or {}),
    }
    return AdminClient(settings)
