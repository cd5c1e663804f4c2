"""supervisord: its configuration, and the few calls of its XML-RPC interface that we make.

Standard library only (the client), because `down` uses it too.
"""

import http.client
import os
import socket
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import PROJECT_ROOT, Layout
from gamemetrics.stack.private_files import write_private
from gamemetrics.stack.processes import is_ours, read_pid, wait_until
from gamemetrics.stack.programs import PROGRAMS, Program

# supervisor.states and supervisor.xmlrpc.Faults: states and faults are part of its interface.
UP_STATES = frozenset({"STARTING", "RUNNING"})
DOWN_STATES = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})
STARTS_TO_FAIL = 3
ALREADY_STARTED = 60
NOT_RUNNING = 70


class SupervisorDidNotStart(StackError):
    """supervisord did not start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessState:
    name: str
    state: str
    pid: int
    # When it was started last, in seconds since the epoch, and for how long it has run.
    started: int
    seconds: int


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self.path)
        except OSError:
            self.close()
            raise


class _SocketTransport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        # Kept in the base class's own attribute, which is how its close() finds it.
        self._connection = (None, connection := _SocketConnection(self.path))
        return connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Starts:
    """Which programs start and die and start again, as seen by asking repeatedly."""

    seen: dict[str, set[int]] = field(default_factory=dict)

    def failing(self, states: Mapping[str, ProcessState]) -> list[str]:
        """Those that had to be started again and again since the first time of asking."""
        for name, process in states.items():
            self.seen.setdefault(name, set()).add(process.started)
        return [
            name
            for name, process in states.items()
            if process.state == "FATAL" or len(self.seen[name]) >= STARTS_TO_FAIL
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Supervisor:
    """The supervisord of one stack."""

    layout: Layout

    def _call(self, method: str, *arguments: object) -> object:
        with xmlrpc.client.ServerProxy(
            "http://localhost/RPC2", transport=_SocketTransport(str(self.layout.socket))
        ) as server:
            return cast(object, getattr(server, method)(*arguments))

    def answers(self) -> bool:
        try:
            state = cast(dict[str, str], self._call("supervisor.getState"))
        except (OSError, http.client.HTTPException):
            return False
        return state["statename"] == "RUNNING"

    def pid(self) -> int | None:
        """Its pid if it lives, whether or not it answers."""
        pid = read_pid(self.layout.supervisor_pid)
        return pid if pid is not None and is_ours(pid, self.layout) else None

    def run(self) -> None:
        """Starts supervisord in the background; none of its programs starts by itself."""
        write_private(self.layout.supervisor_config, configuration(self.layout))
        started = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", self.layout.supervisor_config],
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "STACK_DIR": str(self.layout.root),
                "STACK_PROCESS": "supervisord",
                # supervisord 4.3 imports pkg_resources where it is installed, which warns.
                "PYTHONWARNINGS": "ignore",
            },
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if started.returncode or not wait_until(self.answers, seconds=10):
            raise SupervisorDidNotStart(
                f"supervisord did not start: {started.stdout}{started.stderr}".strip()
            )

    def start(self, name: str) -> None:
        try:
            self._call("supervisor.startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise

    def ask_to_stop(self, name: str) -> None:
        try:
            self._call("supervisor.stopProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != NOT_RUNNING:
                raise

    def stop(self, programs: Iterable[Program]) -> bool:
        """Stops some programs at once; whether all of them stopped in time."""
        wanted = {program.name: program for program in programs}
        for name in wanted:
            self.ask_to_stop(name)
        patience = max((program.stop_seconds for program in wanted.values()), default=0) + 10
        return wait_until(
            lambda: all(self.states()[name].state in DOWN_STATES for name in wanted),
            seconds=patience,
        )

    def states(self) -> dict[str, ProcessState]:
        infos = cast(list[dict[str, object]], self._call("supervisor.getAllProcessInfo"))
        return {str(info["name"]): _state(info) for info in infos}

    def running(self, programs: Iterable[Program]) -> list[Program]:
        states = self.states()
        return [program for program in programs if states[program.name].state not in DOWN_STATES]

    def shut_down(self) -> None:
        self._call("supervisor.shutdown")


def _state(info: dict[str, object]) -> ProcessState:
    up = info["statename"] in UP_STATES
    now, since = cast(int, info["now"]), cast(int, info["start"])
    return ProcessState(
        name=str(info["name"]),
        state=str(info["statename"]),
        pid=cast(int, info["pid"]),
        started=since,
        seconds=max(0, now - since) if up and since else 0,
    )


def configuration(layout: Layout) -> str:
    """supervisord.conf. Programs differ only in name and stop: the rest is in their launch file."""
    root = _quoted(str(layout.root))
    owner = "user=root\n" if os.geteuid() == 0 else ""
    sections = [
        f"[supervisord]\nlogfile={root}/supervisord.log\nlogfile_maxbytes=5MB\n"
        f"logfile_backups=1\npidfile={root}/supervisord.pid\nnodaemon=false\n"
        f"strip_ansi=false\nidentifier=gamemetrics\n{owner}",
        f"[unix_http_server]\nfile={_quoted(str(layout.socket))}\nchmod=0600\n",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
        *(_section(program, layout) for program in PROGRAMS),
    ]
    return "\n".join(sections)


def _section(program: Program, layout: Layout) -> str:
    launcher = f'"{_quoted(sys.executable)}" -m gamemetrics.stack.launch {program.name}'
    # A program that dies within startsecs is tried again after 1, 2, 3... s: for 5 days, because
    # one that has given up would not come back when what it lacked does.
    return (
        f"[program:{program.name}]\n"
        f"command={launcher}\n"
        f"directory={_quoted(str(PROJECT_ROOT))}\n"
        f"priority={1000 - 100 * program.stop_layer}\n"
        "autostart=false\nautorestart=true\nstartsecs=2\nstartretries=1000\n"
        f"stopsignal={program.stop_signal.name.removeprefix('SIG')}\n"
        f"stopwaitsecs={program.stop_seconds}\nkillasgroup=true\n"
        f"redirect_stderr=true\nstdout_logfile={_quoted(str(layout.log_file(program.name)))}\n"
        "stdout_logfile_maxbytes=10MB\nstdout_logfile_backups=2\n"
    )


def _quoted(text: str) -> str:
    """For a value of supervisord.conf, where % begins an expansion."""
    return text.replace("%", "%%")
