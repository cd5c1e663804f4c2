"""A connection that is kept: asked only where in doubt, and never used after its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from gamemetrics.stack.processes import wait_until
from tests.builders import GAME

pytestmark = pytest.mark.django_db(transaction=True)
BOARD = f"/api/v1/leaderboards/{GAME}/default"


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """A connection of a former request; the next one gets a new one."""
    ask("SELECT 42")
    yield
    connection.close()


def ask(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def next_request() -> None:
    """What Django does before a request and before a task."""
    connection.close_if_unusable_or_obsolete()
    connection.close_if_health_check_failed()


def last_statement(pid: int, other: Any) -> str:
    other.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid])
    (query,) = other.fetchone()
    return str(query)


def test_a_quiet_connection_is_taken_without_asking_the_server(other: Any) -> None:
    pid = ask("SELECT pg_backend_pid()")
    ask("SELECT 42")
    next_request()
    assert last_statement(pid, other) == "SELECT 42"
    assert ask("SELECT pg_backend_pid()") == pid


def test_a_connection_that_the_server_ended_is_replaced_unseen(other: Any) -> None:
    pid = ask("SELECT pg_backend_pid()")
    other.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert wait_until(lambda: not connection.is_usable(), seconds=10)
    next_request()
    assert ask("SELECT pg_backend_pid()") != pid


def test_after_an_error_the_server_is_asked(other: Any) -> None:
    pid = ask("SELECT pg_backend_pid()")
    ask("SET statement_timeout = 1")
    with pytest.raises(OperationalError):
        ask("SELECT pg_sleep(5)")
    ask("SET statement_timeout = 0")
    next_request()
    assert last_statement(pid, other) == "SELECT 1"


def test_a_read_that_the_database_does_not_answer_is_told_to_come_again(
    client: Client, other: Any
) -> None:
    ask("SET lock_timeout = '20ms'")
    other.execute("BEGIN; LOCK TABLE boards IN ACCESS EXCLUSIVE MODE")
    answer = client.get(BOARD)
    other.execute("ROLLBACK")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert client.get(BOARD).status_code == 200
