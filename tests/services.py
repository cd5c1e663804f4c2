"""The real services that tests run against, each started when the first test asks for it.

Loaded by `-p tests.services` (pyproject.toml), before pytest-django reads the settings: it points
the environment at a stack of this test run alone, with ports and a state directory of its own.
Fixtures: `postgres`, `redis_server`, `kafka` (addresses), `stack` (the whole stack, apart from the
others, for acceptance tests).
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import PROJECT_ROOT, Layout
from gamemetrics.stack.private_files import read_pairs
from gamemetrics.stack.processes import ours, read_pid
from gamemetrics.stack.progress import SilentProgress
from gamemetrics.stack.run_state import RunState
from gamemetrics.stack.up import up
from tests.stack_homes import (
    HOME_PREFIX,
    discard,
    free_ports,
    new_home,
    plain_environ,
    reserve_ports,
    sweep,
)

__all__ = ["Stack", "discard", "free_ports", "new_stack", "plain_environ", "reserve_ports"]


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
    # Publishers outlive the tests that made them and would tell that Kafka ends.
    logging.getLogger("apps.kafka.reports").setLevel(logging.CRITICAL)
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
