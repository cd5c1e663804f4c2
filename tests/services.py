"""The real services that tests run against, each started when the first test asks for it.

Loaded by `-p tests.services` (pyproject.toml), before pytest-django reads the settings: it points
the environment at a stack of this test run alone, with ports and a state directory of its own.
Fixtures: `postgres`, `redis_server`, `kafka` (addresses), `stack` (the whole stack, apart from the
others, for acceptance tests).
"""

import fcntl
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.down import down
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import PROJECT_ROOT, Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.private_files import read_pairs
from gamemetrics.stack.processes import ours, read_pid
from gamemetrics.stack.progress import SilentProgress
from gamemetrics.stack.run_state import RunState
from gamemetrics.stack.up import up

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


@dataclass(frozen=True, kw_only=True, slots=True)
class TestRun:
    """The stack of this test run: what `up` is called with."""

    __test__ = False

    environ: dict[str, str]
    before: dict[str, str]

    @property
    def home(self) -> Path:
        return Path(self.environ["STACK_DIR"])

    def start(self, service: str) -> Environment:
        try:
            return up(self.environ, SilentProgress(), (service,))
        except StackError as problem:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"{service} cannot be started here: {problem}")


_run = pytest.StashKey[TestRun]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    before = dict(os.environ)
    sweep()
    home = new_home()
    plain = plain_environ()
    topic = f"test.events.{home.name.removeprefix(HOME_PREFIX)}"
    started = {**plain, **free_ports(), "STACK_DIR": str(home), "KAFKA_TOPIC": topic}
    environment = Environment(
        layout=Layout(root=home),
        state=RunState.from_environ(started),
        credentials=Credentials.of(Layout(root=home)),
    )
    given = environment.given(DJANGO_SECRET_KEY="tests-only")
    _replace_environ({**plain, **given})
    early_config.stash[_run] = TestRun(environ=started, before=before)


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(_run, None)
    if run is None:
        return
    discard(run.home)
    _replace_environ(run.before)


def _replace_environ(environ: dict[str, str]) -> None:
    for key in set(os.environ) - set(environ):
        del os.environ[key]
    os.environ.update(environ)


@pytest.fixture(scope="session")
def services_of_this_run(pytestconfig: pytest.Config) -> TestRun:
    return pytestconfig.stash[_run]


@pytest.fixture(scope="session")
def postgres(services_of_this_run: TestRun) -> str:
    """PostgreSQL; its DATABASE_URL, whose role may create databases."""
    return services_of_this_run.start("postgres").shown()["DATABASE_URL"]


@pytest.fixture(scope="session")
def redis_server(services_of_this_run: TestRun) -> str:
    """Redis; the REDIS_URL of the cache (database 1). CELERY_BROKER_URL is database 0."""
    return services_of_this_run.start("redis").shown()["REDIS_URL"]


@pytest.fixture(scope="session")
def kafka(services_of_this_run: TestRun) -> str:
    """Kafka with the topic KAFKA_TOPIC; its bootstrap servers."""
    address = services_of_this_run.start("kafka").shown()["KAFKA_BOOTSTRAP_SERVERS"]
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = address
    return address


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A whole stack under test, in a state directory and on ports of its own."""

    environ: dict[str, str]

    @property
    def dir(self) -> Path:
        return Path(self.environ["STACK_DIR"])

    @property
    def layout(self) -> Layout:
        return Layout(root=self.dir)

    @property
    def env(self) -> dict[str, str]:
        """The lines of its `env` file, as they are now."""
        return read_pairs(self.layout.env_file)

    @property
    def url(self) -> str:
        return self.env["API_URL"]

    def pid(self, name: str) -> int:
        """The pid of a process, as its pid file has it now."""
        pid = read_pid(self.layout.pid_file(name))
        assert pid is not None, f"{name} has no pid file"
        return pid

    def command(
        self, *arguments: str, timeout: float = 300, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """`python -m gamemetrics.stack <arguments>` on this stack."""
        return self.run("-m", "gamemetrics.stack", *arguments, timeout=timeout, **more)

    def run(
        self, *arguments: str, timeout: float = 300, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """`python <arguments>` in the project, in this stack's environment."""
        return subprocess.run(
            [sys.executable, *arguments],
            env={**self.environ, **more},
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


def new_stack(**more: str) -> Stack:
    """A stack that is not started yet; `discard(stack.dir)` ends it."""
    home = str(new_home())
    return Stack(environ={**plain_environ(), **free_ports(), "STACK_DIR": home, **more})


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack, started as a user does; ended, and nothing left of it, at the end."""
    stack = new_stack()
    try:
        started = stack.command("up")
        assert started.returncode == 0, started.stdout + started.stderr
        yield stack
    finally:
        ended = stack.command("down", "--clean")
        left = ours(stack.layout)
        discard(stack.dir)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not left
