"""A process of the harness that is told things line by line and answers so."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from gamemetrics.stack.layout import PROJECT_ROOT

Plan = TypeVar("Plan", bound=msgspec.Struct)


class ChildFailed(Exception):
    """A process of the harness ended, or said nothing in time."""


def plan_of(kind: type[Plan]) -> Plan:
    """The plan that this process was started with."""
    return msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=kind)


class Child:
    """`python -m <module> <file of the plan>`, ended when it is closed."""

    def __init__(self, module: str, plan: msgspec.Struct, environ: Mapping[str, str]) -> None:
        self._module = module
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with the child
        self._unread = b""
        # A file, since an argument holds 128 KiB at most.
        self._plan: IO[bytes] = tempfile.NamedTemporaryFile()  # noqa: SIM115  as above
        self._plan.write(msgspec.json.encode(plan))
        self._plan.flush()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, self._plan.name],
            env=dict(environ),
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Ctrl-C is for the harness, which ends its children itself.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, what: Mapping[Any, Any]) -> None:
        """Send one line. Raises ChildFailed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(what) + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._failed("is gone") from error

    def heard(self, seconds: float) -> dict[str, Any] | None:
        """The next line that it says within `seconds`, None where it says none.

        Raises ChildFailed where it will say no more.
        """
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._process.stdout], [], [], left)
            if not ready:
                return None
            more = self._process.stdout.read1(65536)  # type: ignore[attr-defined]
            if not more:
                raise self._failed("ended")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        said: dict[str, Any] = msgspec.json.decode(line)
        return said

    def hear(self, seconds: float) -> dict[str, Any]:
        """The next line that it says. Raises ChildFailed after `seconds`."""
        said = self.heard(seconds)
        if said is None:
            raise self._failed(f"said nothing for {seconds:g} s")
        return said

    def close(self) -> None:
        """Let it end; after some seconds it is ended."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._errors.close()
        self._plan.close()

    def _failed(self, what: str) -> ChildFailed:
        self._errors.seek(0)
        told = self._errors.read().decode(errors="replace").strip().splitlines()[-8:]
        return ChildFailed("\n".join([f"{self._module} {what}", *told]))
