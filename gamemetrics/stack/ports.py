"""The ports of a stack, and who holds one that is taken. All are bound on 127.0.0.1 only."""

import errno
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gamemetrics.stack.errors import StackError

HOST = "127.0.0.1"
LISTENING = "0A"  # the state column of /proc/net/tcp, proc(5)


class PortTaken(StackError):
    """A port that the stack needs is held by something else."""

    exit_code = 2


class BadPort(StackError):
    """A port setting is not a usable port."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Each field is set by the environment variable of the same name in capitals."""

    web_port: int = 8080
    postgres_port: int = 5432
    redis_port: int = 6379
    kafka_port: int = 9092
    kafka_controller_port: int = 9093
    flower_port: int = 5555
    bridge_metrics_port: int = 9101
    logging_metrics_port: int = 9102
    stats_metrics_port: int = 9103
    leaderboards_metrics_port: int = 9104

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Ports":
        given = {
            field.name: _number(field.name.upper(), environ[field.name.upper()])
            for field in fields(cls)
            if environ.get(field.name.upper())
        }
        ports = cls(**given)
        by_number: dict[int, str] = {}
        for name, number in asdict(ports).items():
            if number in by_number:
                raise BadPort(f"{by_number[number].upper()} and {name.upper()} are both {number}")
            by_number[number] = name
        return ports

    def of(self, program: str) -> dict[str, int]:
        """The ports a program listens on, by the name of their variable."""
        return {name.upper(): getattr(self, name) for name in FIELDS_OF[program]}


FIELDS_OF: Mapping[str, tuple[str, ...]] = {
    "postgres": ("postgres_port",),
    "redis": ("redis_port",),
    "kafka": ("kafka_port", "kafka_controller_port"),
    "web": ("web_port",),
    "bridge": ("bridge_metrics_port",),
    "worker-logging": ("logging_metrics_port",),
    "worker-stats": ("stats_metrics_port",),
    "worker-leaderboards": ("leaderboards_metrics_port",),
    "flower": ("flower_port",),
}


def _number(variable: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise BadPort(f"{variable}={text} is not a port (1 to 65535)")
    return int(text)


def is_free(number: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a port in TIME_WAIT is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError as problem:
            if problem.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def answers(number: int, host: str = HOST) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, number), timeout=1).close()
    except OSError:
        return False
    return True


def require_free(ports: Ports, programs: Iterable[str]) -> None:
    """Raises PortTaken, naming every port of these programs that something else holds."""
    taken = [
        f"port {number} ({variable}) is taken{_by(number)}"
        for program in programs
        for variable, number in ports.of(program).items()
        if not is_free(number)
    ]
    if taken:
        example = taken[0].partition("(")[2].partition(")")[0]
        raise PortTaken(
            "; ".join(taken) + f". Stop what holds it, or choose another: {example}=... make up"
        )


def _by(number: int) -> str:
    holder = holder_of(number)
    return f" by {holder}" if holder else ""


def holder_of(number: int) -> str | None:
    """'redis-server (pid 4711)', where /proc tells us."""
    links = {f"socket:[{inode}]" for inode in _listening_inodes(number)}
    for process in Path("/proc").glob("[0-9]*") if links else ():
        try:
            held = {os.readlink(descriptor) for descriptor in (process / "fd").iterdir()}
        except OSError:
            continue
        if held & links:
            return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _listening_inodes(number: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for row in table.read_text().splitlines()[1:]:
            columns = row.split()
            local_port = int(columns[1].rpartition(":")[2], 16)
            if columns[3] == LISTENING and local_port == number:
                inodes.add(columns[9])
    return inodes
