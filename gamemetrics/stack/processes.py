"""Which processes belong to a stack, and how to end them: standard library only.

A process is ours when it carries our marks in its environment (STACK_DIR and STACK_PROCESS), or
when it works in our state directory. A pid file alone proves nothing: the number may have been
given to another process since.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from gamemetrics.stack.layout import Layout

PROC = Path("/proc")


def environment_of(pid: int) -> dict[str, str]:
    """The environment a process was started with; empty where it cannot be read."""
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition("=") for entry in raw.decode(errors="replace").split("\0"))
    return {key: value for key, _, value in pairs}


def is_alive(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return not PROC.is_dir()
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def is_ours(pid: int, layout: Layout) -> bool:
    if not is_alive(pid):
        return False
    if not PROC.is_dir():
        return str(layout.root) in _command_of(pid)
    environment = environment_of(pid)
    if environment.get("STACK_PROCESS") and environment.get("STACK_DIR") == str(layout.root):
        return True
    # redis-server and PostgreSQL's children write their titles over their environment.
    try:
        works_in = Path(os.readlink(PROC / str(pid) / "cwd"))
    except OSError:
        return False
    return any(
        works_in.is_relative_to(home) for home in (layout.redis, layout.postgres, layout.away)
    )


def _command_of(pid: int) -> str:
    """Command and environment of a process as ps tells them, where there is no /proc."""
    listing = subprocess.run(
        ["ps", "-E", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True
    )
    return listing.stdout


def ours(layout: Layout) -> set[int]:
    """Every live process of this stack, known by a pid file or found by its marks."""
    files = [*layout.pids.glob("*.pid"), layout.supervisor_pid]
    candidates = {pid for pid in map(read_pid, files) if pid is not None}
    candidates |= {int(entry.name) for entry in PROC.glob("[0-9]*")}
    candidates.discard(os.getpid())
    return {pid for pid in candidates if is_ours(pid, layout)}


def named(layout: Layout, name: str) -> set[int]:
    """The live processes of one program of this stack, its children included."""
    marks = {"STACK_PROCESS": name, "STACK_DIR": str(layout.root)}.items()
    found = {
        int(entry.name)
        for entry in PROC.glob("[0-9]*")
        if marks <= environment_of(int(entry.name)).items()
    }
    recorded = read_pid(layout.pid_file(name))
    if recorded is not None and is_ours(recorded, layout):
        found.add(recorded)
    return {pid for pid in found if is_alive(pid)}


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Whether `condition` became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True


def end(pids: Iterable[int], number: signal.Signals, *, seconds: float) -> None:
    """Asks processes to end; after `seconds` they are killed. Returns when all are gone."""
    remaining = set(pids)
    send(remaining, number)
    if wait_until(lambda: not any(map(is_alive, remaining)), seconds=seconds):
        return
    send([pid for pid in remaining if is_alive(pid)], signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, remaining)), seconds=10)
