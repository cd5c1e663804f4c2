"""Ports, state directories and environments for stacks under test, kept apart from all others."""

import fcntl
import os
import random
import shutil
import socket
import tempfile
from dataclasses import fields
from pathlib import Path

from gamemetrics.stack.down import down
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.progress import SilentProgress

# Below the ephemeral ports (32768 on Linux), so that no outgoing connection takes one meanwhile.
PORTS = range(20000, 32000)
# One directory a user: another could not write into it.
PORT_LOCKS = Path(tempfile.gettempdir()) / f"gamemetrics-test-ports-{os.getuid()}"
# Short, because of sockets; and open to PostgreSQL's user.
HOMES = Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir())
HOME_PREFIX = "gm-test-"

# What a shell that sourced .stack/env, or a CI job, may carry and no test may meet.
FOREIGN_PREFIXES = ("KAFKA_", "DB_", "DATABASE_", "REDIS_", "CELERY_", "STACK_", "BRIDGE_")
FOREIGN = {
    "API_URL", "ADMIN_URL", "ADMIN_USER", "ADMIN_PASSWORD", "FLOWER_URL", "MANAGEMENT_KEY",
    "LOG_LEVEL", "RATE_LIMIT_RPS", "METRICS_PORT", "DJANGO_SECRET_KEY", "DJANGO_SETTINGS_MODULE",
    "CHUNK_SIGNING_KEY", "FAILPOINTS",
}  # fmt: skip
PORT_VARIABLES = tuple(field.name.upper() for field in fields(Ports))
KEPT = {"STACK_POSTGRES", "STACK_KAFKA"}

# Descriptors of the locks that this process holds until it ends.
_held: list[int] = []


def reserve_ports(count: int) -> list[int]:
    """Free ports that no other test run on this machine is given until this one ends."""
    PORT_LOCKS.mkdir(mode=0o700, exist_ok=True)
    reserved: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(reserved) == count:
            break
        lock = _try_lock(PORT_LOCKS / str(port))
        if lock is not None and _is_unused(port):
            _held.append(lock)
            reserved.append(port)
    return reserved


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _is_unused(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def new_home() -> Path:
    """A state directory that `sweep` removes, with what runs in it, if this run is killed."""
    home = Path(tempfile.mkdtemp(prefix=HOME_PREFIX, dir=HOMES))
    home.chmod(0o755)
    lock = _try_lock(home.with_suffix(".run"))
    assert lock is not None
    _held.append(lock)
    return home


def discard(home: Path) -> None:
    """Stops what runs there and deletes it."""
    layout = Layout(root=home)
    down(layout, SilentProgress(), clean=True)
    shutil.rmtree(home, ignore_errors=True)
    home.with_suffix(".run").unlink(missing_ok=True)


def is_abandoned(home: Path) -> bool:
    """Whether the run that made it was killed: nobody holds its lock."""
    lock = _try_lock(home.with_suffix(".run"))
    if lock is None:
        return False
    os.close(lock)
    return True


def sweep() -> None:
    """Discards the homes of test runs that were killed: nobody holds their locks."""
    for mark in HOMES.glob(f"{HOME_PREFIX}*.run"):
        try:
            lock = _try_lock(mark)
        except OSError:
            continue
        if lock is not None:
            discard(mark.with_suffix(""))
            os.close(lock)


def free_ports() -> dict[str, str]:
    """A free port for every port variable of a stack."""
    return dict(zip(PORT_VARIABLES, map(str, reserve_ports(len(PORT_VARIABLES))), strict=True))


def plain_environ() -> dict[str, str]:
    """The environment without anything that names a stack or its settings."""
    return {
        key: value
        for key, value in os.environ.items()
        if key in KEPT
        or not (
            key in PORT_VARIABLES
            or key.removesuffix("_FILE") in FOREIGN
            or key.startswith(FOREIGN_PREFIXES)
        )
    }
