"""The processes of a rig: started, killed, paused, and brought back as a cluster would do it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.programs import Launch

KEEPER_SECONDS = 0.1
# A process that dies at once is not started again more often than this.
RESTART_SECONDS = 0.5


class NotRunning(Exception):
    """A process of the rig did not come up, or did not end."""


@dataclass(kw_only=True)
class Process:
    """One process and its children, in a session of their own.

    Unless it is held down, a Keeper starts it again when it dies.
    """

    name: str
    home: Path
    launch: Launch
    stop_signal: signal.Signals = signal.SIGTERM
    held: bool = True
    starts: int = 0
    _child: subprocess.Popen[bytes] | None = None
    _started_at: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def pid(self) -> int:
        if self._child is None:
            raise NotRunning(f"{self.name} was never started")
        return self._child.pid

    @property
    def log(self) -> Path:
        return self.home / "log" / f"{self.name}.log"

    def is_running(self) -> bool:
        with self._lock:
            return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it, and keep it started."""
        with self._lock:
            self.held = False
            if not self.is_running():
                self._spawn()

    def _spawn(self) -> None:
        launch = self.launch
        marks = {"STACK_DIR": str(self.home), "STACK_PROCESS": self.name}
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                list(launch.argv),
                env={**launch.environ, **marks},
                cwd=launch.directory,
                user=launch.user_id,
                group=launch.group_id,
                extra_groups=None if launch.user_id is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1
        self._started_at = time.monotonic()

    def revive(self) -> None:
        """Start it again if it died and is not held down."""
        with self._lock:
            if self.held or self.is_running():
                return
            if time.monotonic() - self._started_at >= RESTART_SECONDS:
                self._signal_children(signal.SIGKILL)  # an orphan would keep the port
                self._spawn()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """SIGKILL to it and its children; the Keeper brings it back."""
        with self._lock:
            child = self._child
            self._signal_children(number)
        if child is not None and number is signal.SIGKILL:
            # Not `await_end`: the Keeper may have started the next one by then.
            child.wait(10)

    def terminate(self, *, seconds: float) -> float:
        """SIGTERM; how long it took to end. Raises NotRunning after `seconds`."""
        began = time.monotonic()
        with self._lock:
            child = self._child
        if child is not None and child.poll() is None:
            child.send_signal(self.stop_signal)
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired as error:
                raise NotRunning(f"{self.name} did not end within {seconds:g} s") from error
        return time.monotonic() - began

    def hold(self) -> None:
        """Do not start it again until `start`."""
        self.held = True

    @contextmanager
    def down(self, number: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """Killed, and away until the end of the block."""
        self.hold()
        self.kill(number)
        self.await_end(30)
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """SIGSTOP until the end of the block: it is there and does not answer."""
        self._signal_children(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal_children(signal.SIGCONT)

    def await_end(self, seconds: float) -> None:
        if not wait_until(lambda: not self.is_running(), seconds=seconds):
            raise NotRunning(f"{self.name} did not end within {seconds:g} s")

    def end(self, *, seconds: float = 15) -> None:
        """Ask it to end, then kill it and what it left."""
        self.hold()
        if self._child is None:
            return
        self._signal_children(signal.SIGCONT)
        with suppress(NotRunning):
            self.terminate(seconds=seconds)
        self._signal_children(signal.SIGKILL)
        self.await_end(10)

    def tail(self, lines: int = 15) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal_children(self, number: signal.Signals) -> None:
        with self._lock:
            if self._child is None:
                return
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)


class Keeper:
    """Starts dead processes again, as Kubernetes would; a thread that ends with `stop`."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self.processes = list(processes)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(KEEPER_SECONDS):
            for process in tuple(self.processes):
                process.revive()
