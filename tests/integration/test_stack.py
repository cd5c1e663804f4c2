"""The local stack's services: started, killed, left behind, stopped."""

import os
import signal
import socket
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from gamemetrics.stack.ports import HOST
from gamemetrics.stack.processes import is_alive, ours, read_pid, wait_until
from gamemetrics.stack.programs import SERVICES
from gamemetrics.stack.status import STOPPED
from tests.services import Stack, free_ports
from tests.stack_probes import (
    PATIENCE_SECONDS,
    comes_back,
    keep_a_message,
    kept_messages,
    kill,
    postgres_answers,
    redis_answers,
    up,
)


def test_a_pid_file_holds_the_pid_of_the_server_itself(running: Stack) -> None:
    for name, program in {"postgres": "postgres", "redis": "redis-server", "kafka": "java"}.items():
        assert Path(f"/proc/{running.pid(name)}/comm").read_text().strip() == program


def test_a_second_up_restarts_nothing(running: Stack) -> None:
    before = {name: running.pid(name) for name in SERVICES}
    up(running)
    assert {name: running.pid(name) for name in SERVICES} == before


def test_a_second_up_keeps_the_ports_of_the_first(running: Stack) -> None:
    before = running.env
    up(running, **free_ports())
    assert running.env == before


def test_only_the_owner_reads_the_secrets(running: Stack) -> None:
    for name in ("env", "secrets", "run.json", "supervisord.conf"):
        assert (running.dir / name).stat().st_mode & 0o077 == 0, name
    assert (running.dir / "launch").stat().st_mode & 0o077 == 0


def test_no_secret_is_on_a_command_line(running: Stack) -> None:
    secrets = [value for key, value in running.env.items() if "PASSWORD" in key or "KEY" in key]
    for pid in ours(running.layout):
        command = Path(f"/proc/{pid}/cmdline").read_text()
        assert not [secret for secret in secrets if secret in command]


def test_a_killed_postgres_comes_back_with_what_was_committed(running: Stack) -> None:
    with closing(psycopg2.connect(running.env["DATABASE_URL"])) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (player_id text)")
            cursor.execute("INSERT INTO kept VALUES ('ada')")
        killed = kill(running, "postgres")
    assert comes_back(running, "postgres", killed)
    assert wait_until(lambda: postgres_answers(running), seconds=PATIENCE_SECONDS)
    with (
        closing(psycopg2.connect(running.env["DATABASE_URL"])) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT player_id FROM kept")
        assert cursor.fetchall() == [("ada",)]
        cursor.execute("DROP TABLE kept")


def test_a_killed_redis_comes_back(running: Stack) -> None:
    killed = kill(running, "redis")
    assert comes_back(running, "redis", killed)
    assert wait_until(lambda: redis_answers(running), seconds=PATIENCE_SECONDS)


def test_a_killed_kafka_comes_back_with_its_messages(running: Stack) -> None:
    keep_a_message(running, b"from ada")
    killed = kill(running, "kafka")
    assert comes_back(running, "kafka", killed)
    assert kept_messages(running) == [b"from ada"]


def test_up_copes_with_what_a_killed_supervisor_left(running: Stack) -> None:
    before = {name: running.pid(name) for name in SERVICES}
    supervisor = read_pid(running.layout.supervisor_pid)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(supervisor), seconds=PATIENCE_SECONDS)
    up(running)
    assert not [name for name, pid in before.items() if is_alive(pid)]
    assert all(is_alive(running.pid(name)) for name in SERVICES)


def test_down_leaves_nothing_and_up_finds_the_data_again(fresh: Stack) -> None:
    up(fresh)
    keep_a_message(fresh, b"from bo")
    processes = ours(fresh.layout)
    assert fresh.command("down").returncode == 0
    assert not [pid for pid in processes if is_alive(pid)]
    assert list(fresh.layout.pids.iterdir()) == []
    assert fresh.command("status").returncode == STOPPED
    # On other ports: neither Kafka nor PostgreSQL keeps the old ones in its data.
    moved = Stack(environ={**fresh.environ, **free_ports()})
    up(moved)
    assert kept_messages(moved) == [b"from bo"]


def test_down_copes_with_what_a_killed_supervisor_left(fresh: Stack) -> None:
    up(fresh, "postgres,redis")
    processes = ours(fresh.layout)
    supervisor = read_pid(fresh.layout.supervisor_pid)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    assert fresh.command("down", "--clean").returncode == 0
    assert not [pid for pid in processes if is_alive(pid)]
    assert not fresh.dir.exists()


def test_down_of_a_stopped_stack_is_harmless(fresh: Stack) -> None:
    assert fresh.command("down").returncode == 0
    assert fresh.command("down", "--clean").returncode == 0


def test_down_needs_nothing_but_python(fresh: Stack) -> None:
    up(fresh, "redis")
    stopped = fresh.run("-I", "-S", "-c", DOWN_WITHOUT_PACKAGES)
    assert stopped.returncode == 0, stopped.stderr
    assert not ours(fresh.layout)


DOWN_WITHOUT_PACKAGES = """
import sys
sys.path.insert(0, ".")
from gamemetrics.stack.down import main
sys.exit(main())
"""


def test_a_taken_port_is_named_with_its_variable_and_its_holder(fresh: Stack) -> None:
    port = int(fresh.environ["REDIS_PORT"])
    with socket.create_server((HOST, port)):
        refused = fresh.command("up", "--only", "redis")
    assert refused.returncode == 2
    assert f"port {port} (REDIS_PORT) is taken by" in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert not ours(fresh.layout)


def test_two_stacks_run_side_by_side(running: Stack, fresh: Stack) -> None:
    up(fresh, "redis")
    assert redis_answers(running)
    assert redis_answers(fresh)
    assert fresh.env["REDIS_URL"] != running.env["REDIS_URL"]
    assert fresh.command("down").returncode == 0
    assert redis_answers(running)


@pytest.mark.parametrize("source", ["path", "wheel"])
def test_each_source_of_postgres_works(fresh: Stack, source: str) -> None:
    started = fresh.command("up", "--only", "postgres", STACK_POSTGRES=source)
    if source == "path" and "no PostgreSQL" in started.stderr:
        pytest.skip("no PostgreSQL on PATH")
    assert started.returncode == 0, started.stderr
    assert postgres_answers(fresh)


def test_postgres_runs_where_its_user_cannot_reach_the_state_directory(fresh: Stack) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root steps down to another user")
    fresh.dir.chmod(0o700)
    up(fresh, "postgres")
    assert postgres_answers(fresh)
    assert fresh.command("down", "--clean").returncode == 0
    assert not fresh.layout.away.exists()


def test_a_deep_state_directory_has_its_socket_elsewhere(fresh: Stack) -> None:
    deep = fresh.dir / ("d" * 60) / ("e" * 60)
    below = Stack(environ={**fresh.environ, "STACK_DIR": str(deep)})
    up(below, "redis")
    assert redis_answers(below)
    assert below.command("down", "--clean").returncode == 0
    assert not below.layout.short.exists()
