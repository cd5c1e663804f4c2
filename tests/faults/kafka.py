"""One or three nodes of Apache Kafka, each broker and controller."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from gamemetrics.stack import kafka, kafka_jars
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.programs import Launch


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One node: where it listens, and where its data is."""

    number: int
    port: int
    controller_port: int
    home: Path

    @property
    def name(self) -> str:
        return f"kafka-{self.number}"

    @property
    def layout(self) -> Layout:
        return Layout(root=self.home / self.name)


def bootstrap_servers(nodes: list[Node]) -> str:
    return ",".join(f"{HOST}:{node.port}" for node in nodes)


def launches(nodes: list[Node]) -> dict[str, Launch]:
    """How to start each node; its storage is made here.

    Raises KafkaUnavailable, StorageNotFormatted.
    """
    java, jars = kafka_jars.java(), kafka_jars.fetch(os.environ, print)
    cluster = kafka.new_cluster()

    def launch(node: Node) -> Launch:
        home = node.layout.kafka
        home.mkdir(parents=True, exist_ok=True)
        return kafka.node(java, jars, home, _settings(node, nodes), cluster=cluster)

    with ThreadPoolExecutor() as threads:  # each format is a JVM's start
        return dict(zip((node.name for node in nodes), threads.map(launch, nodes), strict=True))


def _settings(node: Node, nodes: list[Node]) -> Mapping[str, object]:
    """The local stack's own settings, but for what makes a node one of several."""
    ports = replace(Ports(), kafka_port=node.port, kafka_controller_port=node.controller_port)
    several = len(nodes)
    return {
        **kafka.server_settings(node.layout.kafka, ports),
        "node.id": node.number,
        "controller.quorum.voters": ",".join(
            f"{other.number}@{HOST}:{other.controller_port}" for other in nodes
        ),
        "default.replication.factor": several,
        "offsets.topic.replication.factor": several,
        "min.insync.replicas": 2 if several > 2 else 1,
        "delete.topic.enable": "true",
        "log.retention.check.interval.ms": 1000,
        "unclean.leader.election.enable": "false",
    }
