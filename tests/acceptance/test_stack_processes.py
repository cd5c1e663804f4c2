"""The whole stack, as `make up` starts it."""

import os
import signal
import urllib.error
import urllib.request

import psycopg2
import pytest

from gamemetrics.stack.processes import is_alive, named, read_pid, wait_until
from gamemetrics.stack.programs import PROGRAMS
from tests.services import Stack, discard, new_stack

PATIENCE_SECONDS = 60
NAMES = [program.name for program in PROGRAMS]


def is_ready(stack: Stack) -> bool:
    try:
        with urllib.request.urlopen(f"{stack.url}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_every_process_runs_and_status_says_so(stack: Stack) -> None:
    told = stack.command("status")
    assert told.returncode == 0, told.stdout
    assert all(is_alive(stack.pid(name)) for name in NAMES)
    assert all(stack.layout.log_file(name).exists() for name in NAMES)


def test_a_second_up_restarts_nothing(stack: Stack) -> None:
    before = {name: stack.pid(name) for name in NAMES}
    assert stack.command("up").returncode == 0
    assert {name: stack.pid(name) for name in NAMES} == before


def test_flower_is_behind_a_password(stack: Stack) -> None:
    address = stack.env["FLOWER_URL"].partition("@")[2]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{address}/", timeout=10)
    refused.value.close()
    assert refused.value.code == 401


def test_the_admin_user_is_there_once(stack: Stack) -> None:
    connection = psycopg2.connect(stack.env["DATABASE_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT username, is_superuser FROM auth_user")
        assert cursor.fetchall() == [(stack.env["ADMIN_USER"], True)]
    connection.close()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"postgres", "kafka"}])
def test_a_killed_process_comes_back_and_leaves_no_child(stack: Stack, name: str) -> None:
    former = named(stack.layout, name)
    killed = stack.pid(name)
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        pid = read_pid(stack.layout.pid_file(name))
        return pid is not None and pid != killed and is_alive(pid)

    assert wait_until(is_back, seconds=PATIENCE_SECONDS)
    assert not [pid for pid in former if is_alive(pid)]
    assert wait_until(lambda: is_ready(stack), seconds=PATIENCE_SECONDS)


def test_a_process_that_cannot_start_is_named_with_the_end_of_its_log() -> None:
    stack = new_stack(BRIDGE_CHUNK_EVENTS="lots")
    try:
        failed = stack.command("up")
        assert failed.returncode == 1
        assert "bridge is" in failed.stderr
        assert "BRIDGE_CHUNK_EVENTS" in failed.stderr
    finally:
        discard(stack.dir)
