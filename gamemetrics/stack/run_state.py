"""What a running stack was started with; kept from `up` to `down`, so that every `up` agrees."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports, is_free
from gamemetrics.stack.private_files import write_private

CARRIED = ("LOG_LEVEL", "RATE_LIMIT_RPS", "FAILPOINTS")
CARRIED_PREFIXES = ("BRIDGE_", "GAMEMETRICS_")
# Only for a Kafka that was given: our own needs no user.
KAFKA_ACCESS = (
    "KAFKA_USERNAME",
    "KAFKA_PASSWORD",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SSL_CA_LOCATION",
    # Its users may be allowed one group only.
    "KAFKA_GROUP_ID",
)
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
        return cls(
            ports=ports,
            topic=environ.get("KAFKA_TOPIC") or DEFAULT_TOPIC,
            bootstrap_servers=given,
            kafka_is_given=bool(given),
            carried=_carried(environ, with_access=bool(given)),
        )

    @classmethod
    def recall(cls, layout: Layout) -> "RunState | None":
        if not layout.run_file.exists():
            return None
        kept = json.loads(layout.run_file.read_text())
        return cls(**{**kept, "ports": Ports(**kept["ports"])})

    def keep(self, layout: Layout) -> None:
        write_private(layout.run_file, json.dumps(asdict(self), indent=1))

    def settings(self) -> dict[str, str]:
        """The settings as the environment variables that would give them."""
        ports = {name.upper(): str(number) for name, number in asdict(self.ports).items()}
        return {**ports, "KAFKA_TOPIC": self.topic, **self.carried}

    def unlike(self, environ: Mapping[str, str]) -> list[str]:
        """What `environ` asks to be otherwise, as NAME=kept value."""
        asked = {**_carried(environ, with_access=False), **_named(environ, self.settings())}
        return [
            f"{name}={'(kept secret)' if 'PASSWORD' in name else kept}"
            for name, kept in self.settings().items()
            if name in asked and asked[name] != kept
        ] + [f"{name} (unset)" for name in asked if name not in self.settings()]

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


def kafka_access(carried: Mapping[str, str]) -> dict[str, str]:
    """What of it lets a client into a given Kafka."""
    return {
        name: value for name, value in carried.items() if name.removesuffix("_FILE") in KAFKA_ACCESS
    }


def _carried(environ: Mapping[str, str], *, with_access: bool) -> dict[str, str]:
    ports = {field.name.upper() for field in fields(Ports)}
    return {
        name: value
        for name, value in environ.items()
        if name not in ports and (name in CARRIED or name.startswith(CARRIED_PREFIXES))
    } | (kafka_access(environ) if with_access else {})


def _named(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: environ[name] for name in names if environ.get(name)}
