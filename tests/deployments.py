"""Processes of the product, each with settings of its own, as a deployment starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gamemetrics.stack.applications import launches
from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.layout import PROJECT_ROOT, Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.private_files import write_private
from gamemetrics.stack.run_state import RunState
from tests.acceptance.waiting import until
from tests.stack_homes import discard, new_home, reserve_ports

PATIENCE = 120.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A process, what it writes, and the port it answers on."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def told(self) -> str:
        return self.log.read_text(errors="replace")

    def get(self, path: str) -> httpx.Response | None:
        """The answer; None while nobody listens."""
        try:
            return httpx.get(f"{self.url}{path}", timeout=15, trust_env=False)
        except httpx.TransportError:
            return None

    def answers(self, path: str = "/health/live") -> None:
        def succeeds() -> bool:
            assert self.is_up(), f"{self.name} ended:\n{self.told[-3000:]}"
            answer = self.get(path)
            return answer is not None and answer.status_code == 200

        until(succeeds, f"{self.name} answers {path}", seconds=PATIENCE)

    def tells(self, text: str) -> None:
        def told() -> bool:
            assert self.is_up(), f"{self.name} ended:\n{self.told[-3000:]}"
            return text in self.told

        until(told, f"{self.name} tells {text!r}", seconds=PATIENCE)

    def is_up(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """Starts processes with the commands of the local stack. What a killed test run leaves of
    them is ended by the next one: they carry the marks of a stack."""

    home: Path
    settings: Mapping[str, str]
    running: list[Running] = field(default_factory=list)

    def start(self, name: str, **settings: str) -> Running:
        """Start `web`, `bridge`, `flower` or a worker; these settings come over the common ones."""
        (port,) = reserve_ports(1)
        log = self.home / f"{name}-{len(self.running)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                _argv(self.home, name, port),
                env=self._environ(name, port, settings),
                cwd=PROJECT_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(Running(name=name, port=port, process=process, log=log))
        return self.running[-1]

    def _environ(self, name: str, port: int, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(Path.home()),
            "PYTHONPATH": str(PROJECT_ROOT),
            "PYTHONUNBUFFERED": "1",
            "STACK_DIR": str(self.home),
            "STACK_PROCESS": name,
            "DJANGO_SETTINGS_MODULE": "gamemetrics.settings",
            "METRICS_PORT": str(port),
            **self.settings,
            **more,
        }

    def manage(self, *arguments: str, **settings: str) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self._environ("manage", 0, settings),
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def by_file(self, owner: str, secrets: Mapping[str, str]) -> dict[str, str]:
        """NAME_FILE for each NAME: its value is in a file that only its owner may read."""
        directory = self.home / owner
        directory.mkdir(mode=0o700)
        for name, value in secrets.items():
            write_private(directory / name, value)
        return {f"{name}_FILE": str(directory / name) for name in secrets}

    def stop(self) -> None:
        for running in self.running:
            if running.is_up():
                running.process.send_signal(signal.SIGTERM)
        discard(self.home)  # whoever has not ended by then
        for running in self.running:
            running.process.wait(PATIENCE)


@contextmanager
def deployment(settings: Mapping[str, str]) -> Iterator[Deployment]:
    deployed = Deployment(home=new_home(), settings=settings)
    try:
        yield deployed
    finally:
        deployed.stop()


def _argv(home: Path, name: str, port: int) -> list[str]:
    ports = {
        field: port
        for field in ("web_port", "flower_port")
        if name == field.removesuffix("_port") and port
    }
    environment = Environment(
        layout=Layout(root=home),
        state=RunState(ports=Ports(**ports)),
        credentials=Credentials.of(Layout(root=home)),
    )
    return list(launches(environment)[name].argv)
