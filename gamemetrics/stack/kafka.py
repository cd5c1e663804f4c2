"""The stack's Kafka: one node of Apache Kafka (KRaft), or librdkafka's own broker without Java."""

import base64
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gamemetrics.stack import kafka_jars
from gamemetrics.stack.errors import StackError
from gamemetrics.stack.kafka_jars import KafkaUnavailable
from gamemetrics.stack.layout import PROJECT_ROOT, Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.programs import Launch

LOGGING = Path(__file__).with_name("log4j2.properties")
HEAP = ("-Xms256m", "-Xmx512m")
# For a broker that shares two cores and is often started anew. The second compiler alone took as
# much time as all requests for minutes, and made the code that it compiled little faster; G1's own
# threads have nothing to gain on so small a heap (docs/decisions/0038).
ECONOMY = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
NODE_ID = 1

FALLBACK_NOTICE = (
    "Kafka is librdkafka's in-process broker: it keeps messages in memory only ({reason})"
)


class StorageNotFormatted(StackError):
    """Kafka's data directory could not be made."""


def address_file(layout: Layout) -> Path:
    """Where the fallback broker, which chooses its own port, says where it answers."""
    return layout.kafka / "address"


def prepare(
    environ: Mapping[str, str], layout: Layout, ports: Ports, tell: Callable[[str], None]
) -> None:
    """Says how to start Kafka, and tells if it is not Apache Kafka that will run.

    STACK_KAFKA=apache|fallback allows one of them only; CI=true allows only Apache Kafka, because
    what it proves there must not depend on what the machine happens to lack.
    """
    layout.kafka.mkdir(exist_ok=True)
    wanted = environ.get("STACK_KAFKA", "")
    if wanted == "fallback":
        tell(FALLBACK_NOTICE.format(reason="STACK_KAFKA=fallback"))
        return _prepare_fallback(layout)
    try:
        java, jars = kafka_jars.java(), kafka_jars.fetch(environ, tell)
    except KafkaUnavailable as problem:
        if wanted == "apache" or environ.get("CI") == "true":
            raise
        tell(FALLBACK_NOTICE.format(reason=problem))
        return _prepare_fallback(layout)
    return _prepare_apache(java, jars, layout, ports)


def _prepare_fallback(layout: Layout) -> None:
    address_file(layout).unlink(missing_ok=True)
    Launch(
        argv=[
            sys.executable,
            "-m",
            "gamemetrics.stack.fallback_broker",
            str(address_file(layout)),
        ],
        environ={"PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1"},
    ).save(layout, "kafka")


def _prepare_apache(java: Path, jars: Path, layout: Layout, ports: Ports) -> None:
    address_file(layout).write_text(f"{HOST}:{ports.kafka_port}")
    settings = server_settings(layout.kafka, ports)
    node(java, jars, layout.kafka, settings).save(layout, "kafka")


def new_cluster() -> str:
    """An id for a cluster; every node of it is given the same."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


def node(
    java: Path,
    jars: Path,
    home: Path,
    settings: Mapping[str, object],
    *format_options: str,
    cluster: str | None = None,
) -> Launch:
    """How to start a node with these server.properties; its storage is made if there is none.

    `cluster` is the id of the cluster that its storage joins; None: one of its own.
    """
    properties = home / "server.properties"
    properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    machine = [
        str(java),
        *HEAP,
        *ECONOMY,
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={LOGGING}",
        "-classpath",
        f"{jars}/*",
    ]
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(Path.home())}
    if not (home / "data" / "meta.properties").exists():
        # One argument: an id may begin with a dash.
        named = f"--cluster-id={cluster or new_cluster()}"
        _format(machine, properties, environ, (named, *format_options))
    return Launch(
        argv=[*machine, "kafka.Kafka", str(properties)], environ=environ, directory=str(home)
    )


def server_settings(home: Path, ports: Ports) -> dict[str, object]:
    """The server.properties of the stack's one node, which listens without TLS or users."""
    client = f"PLAINTEXT://{HOST}:{ports.kafka_port}"
    controller = f"{HOST}:{ports.kafka_controller_port}"
    return {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "listeners": f"{client},CONTROLLER://{controller}",
        "advertised.listeners": client,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        # Not the dynamic quorum of `format --standalone`: that keeps the controller's port in the
        # data, and a stack may be started again on another one.
        "controller.quorum.voters": f"{NODE_ID}@{controller}",
        "log.dirs": home / "data",
        "num.partitions": 3,
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        # A restarted node is let in again only when its former session has ended (9 s by default).
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "num.network.threads": 2,
        "num.io.threads": 2,
    }


def _format(
    machine: list[str], properties: Path, environ: Mapping[str, str], options: Sequence[str]
) -> None:
    tool = ["kafka.tools.StorageTool", "format", "-c", str(properties), *options]
    formatted = subprocess.run(
        [*machine, *tool],
        env=environ,
        cwd=PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if formatted.returncode:
        raise StorageNotFormatted(
            f"Kafka could not make its storage: {formatted.stdout}{formatted.stderr}".strip()
        )
