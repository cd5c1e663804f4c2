"""One or three nodes of Apache Kafka, each broker and controller."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from gamemetrics.stack import kafka, kafka_jars
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.programs import Launch
from tests.faults.processes import NotRunning


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


def launches(nodes: list[Node], chance: Random) -> dict[str, Launch]:
    """How to start each node; its storage is made here. Raises KafkaUnavailable, NotRunning."""
    java, jars = kafka_jars.java(), kafka_jars.fetch(os.environ, print)
    cluster = base64.urlsafe_b64encode(chance.randbytes(16)).rstrip(b"=").decode()
    machine = [
        str(java),
        *kafka.HEAP,
        *("-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"),
        f"-Dlog4j2.configurationFile={kafka.LOGGING}",
        *("-classpath", f"{jars}/*"),
    ]
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(Path.home())}
    found = {}
    formatting = []
    for node in nodes:
        directory = node.layout.kafka
        directory.mkdir(parents=True, exist_ok=True)
        properties = directory / "server.properties"
        properties.write_text(_properties(node, nodes))
        formatting.append(_format(machine, properties, cluster, environ))
        found[node.name] = Launch(
            argv=[*machine, "kafka.Kafka", str(properties)],
            environ=environ,
            directory=str(directory),
        )
    for running in formatting:
        told, _ = running.communicate()
        if running.returncode:
            raise NotRunning(f"Kafka could not make its storage: {told}")
    return found


def _properties(node: Node, nodes: list[Node]) -> str:
    """The local stack's own properties, but for what makes a node one of several."""
    ports = replace(Ports(), kafka_port=node.port, kafka_controller_port=node.controller_port)
    several = len(nodes)
    voters = ",".join(f"{other.number}@{HOST}:{other.controller_port}" for other in nodes)
    own: Mapping[str, object] = {
        "node.id": node.number,
        "controller.quorum.voters": voters,
        "default.replication.factor": several,
        "offsets.topic.replication.factor": several,
        "min.insync.replicas": 2 if several > 2 else 1,
        "delete.topic.enable": "true",
        "log.retention.check.interval.ms": 1000,
        "unclean.leader.election.enable": "false",
    }
    lines = kafka.server_properties(node.layout, ports).splitlines()
    kept = [line for line in lines if line.partition("=")[0] not in own]
    return "\n".join([*kept, *(f"{key}={value}" for key, value in own.items())]) + "\n"


def _format(
    machine: list[str], properties: Path, cluster: str, environ: Mapping[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *machine,
            *("kafka.tools.StorageTool", "format"),
            *(f"--cluster-id={cluster}", "-c", str(properties)),
        ],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
