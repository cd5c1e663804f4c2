"""What a running stack was started with; kept from `up` to `down`, so that every `up` agrees."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports, is_free
from gamemetrics.stack.private_files import write_private

CARRIED = ("LOG_LEVEL", "RATE_LIMIT_RPS")
CARRIED_PREFIXES = ("BRIDGE_", "GAMEMETRICS_")
# Only for a Kafka that was given: our own needs no user.
KAFKA_ACCESS = ("KAFKA_USERNAME", "KAFKA_PASSWORD", "KAFKA_SECURITY_PROTOCOL")
DEFAULT_TOPIC = "player.events.raw"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunState:
    ports: Ports
    topic: str = DEFAULT_TOPIC
    # Where Kafka answers; empty until it is known.
    bootstrap_servers: str = ""
    kafka_is_given: bool = False
    carried: Mapping[str, str] = field(default_factory=dict)
    admin_is_made: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "RunState":
        ports = Ports.from_environ(environ)
        given = given_kafka(environ, ports)
        ours = {f"{name.upper()}" for name in asdict(ports)}
        carried = {
            key: value
            for key, value in environ.items()
            if (key in CARRIED or key.startswith(CARRIED_PREFIXES) or (given and _access(key)))
            and key not in ours
        }
        return cls(
            ports=ports,
            topic=environ.get("KAFKA_TOPIC") or DEFAULT_TOPIC,
            bootstrap_servers=given,
            kafka_is_given=bool(given),
            carried=carried,
        )

    @classmethod
    def recall(cls, layout: Layout) -> "RunState | None":
        if not layout.run_file.exists():
            return None
        kept = json.loads(layout.run_file.read_text())
        return cls(**{**kept, "ports": Ports(**kept["ports"])})

    def keep(self, layout: Layout) -> None:
        write_private(layout.run_file, json.dumps(asdict(self), indent=1))

    def with_bootstrap_servers(self, address: str) -> "RunState":
        return replace(self, bootstrap_servers=address)

    def with_admin(self) -> "RunState":
        return replace(self, admin_is_made=True)


def given_kafka(environ: Mapping[str, str], ports: Ports) -> str:
    """The Kafka that the caller runs already; empty if the stack is to run its own.

    Somebody who sourced `.stack/env` has our own address in the environment, which must not turn
    the next `up` into one without Kafka: own Kafka is meant wherever nothing answers there yet.
    """
    given = environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    own = {f"{host}:{ports.kafka_port}" for host in (HOST, "localhost")}
    if given in own and is_free(ports.kafka_port):
        return ""
    return given


def _access(key: str) -> bool:
    return key.removesuffix("_FILE") in KAFKA_ACCESS
