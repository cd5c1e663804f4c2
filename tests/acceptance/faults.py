"""Killing, stopping and waking the processes of a stack."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from gamemetrics.stack.processes import is_alive, named, read_pid, send
from tests.acceptance.waiting import until
from tests.services import Stack


def kill(stack: Stack, name: str) -> int:
    """kill -9; the pid that was."""
    pid = stack.pid(name)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), f"{name} is dead")
    return pid


def kill_with_children(stack: Stack, name: str) -> int:
    """kill -9 of the process and all that it started; the pid of the first."""
    pid = stack.pid(name)
    pids = named(stack.layout, name)
    send(pids, signal.SIGKILL)
    until(lambda: not any(map(is_alive, pids)), f"{name} is dead")
    return pid


def terminate(stack: Stack, name: str, *, seconds: float) -> int:
    """SIGTERM; fails where the process has not ended within `seconds`."""
    pid = stack.pid(name)
    os.kill(pid, signal.SIGTERM)
    until(lambda: not is_alive(pid), f"{name} ended after SIGTERM", seconds=seconds)
    return pid


@contextmanager
def stopped(stack: Stack, name: str) -> Iterator[int]:
    """SIGSTOP until the end of the block: the process is there and does not answer."""
    pid = stack.pid(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


def is_back(stack: Stack, name: str, killed: int) -> bool:
    """Whether a new process has taken the place of the killed one."""
    pid = read_pid(stack.layout.pid_file(name))
    return pid is not None and pid != killed and is_alive(pid)


def comes_back(stack: Stack, name: str, killed: int) -> None:
    until(lambda: is_back(stack, name, killed), f"{name} is back")
    becomes_ready(stack)


def becomes_ready(stack: Stack) -> None:
    until(lambda: is_ready(stack), "/health/ready is 200")


def is_ready(stack: Stack) -> bool:
    try:
        answer = httpx.get(f"{stack.url}/health/ready", timeout=10, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200
