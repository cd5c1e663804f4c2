"""`manage.py demo` and `manage.py load` on a whole stack, as CI runs them: without a terminal."""

from __future__ import annotations

from dataclasses import replace

import psycopg2
import pytest

from tests.services import Stack

pytestmark = pytest.mark.timeout(600)
EVENTS = 70_288


def events_and_players(stack: Stack) -> tuple[int, int]:
    connection = psycopg2.connect(stack.env["DATABASE_URL"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), count(DISTINCT player_id) FROM events"
                " WHERE game_id LIKE 'lichess-%'"
            )
            events, players = cursor.fetchone() or (0, 0)
    finally:
        connection.close()
    return events, players


def test_the_demo_shows_the_known_totals_and_a_second_run_changes_none(stack: Stack) -> None:
    for new in (f"{EVENTS:,} new", "0 new"):
        run = stack.run("manage.py", "demo", timeout=400)
        assert run.returncode == 0, run.stdout + run.stderr
        assert new in run.stdout
        assert "every total is the known one" in run.stdout
        assert "EminovOrkhan" in run.stdout  # leads lichess-blitz by rating
        assert stack.url in run.stdout
        assert events_and_players(stack) == (EVENTS, 1_991)


def test_a_wrong_total_fails_the_demo_and_is_named(stack: Stack) -> None:
    connection = psycopg2.connect(stack.env["DATABASE_URL"])
    connection.autocommit = True
    change = (
        "UPDATE player_statistics SET total_events = total_events + %s"
        " WHERE player_id = 'EminovOrkhan' AND game_id = 'lichess-blitz'"
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(change, [1])
            run = stack.run("manage.py", "demo", timeout=400)
            cursor.execute(change, [-1])
    finally:
        connection.close()
    assert run.returncode == 1, run.stdout + run.stderr
    assert "differs: statistics of (EminovOrkhan, lichess-blitz)" in run.stdout


def test_every_count_of_a_load_is_right(stack: Stack) -> None:
    run = stack.run("manage.py", "load", "--rate", "500", "--seconds", "5", "--players", "50")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "every count is right" in run.stdout
    assert "sent once more" in run.stdout


def test_load_is_refused_for_another_host(stack: Stack) -> None:
    elsewhere = replace(
        stack,
        environ={
            **stack.environ,
            **stack.env,
            "API_URL": "http://192.0.2.1:8080",
            "STACK_DIR": "/nonexistent",
        },
    )
    run = elsewhere.run("manage.py", "load", "--rate", "1", "--seconds", "1")
    assert run.returncode == 1
    assert "this host only" in run.stderr


def test_without_a_stack_the_remedy_is_told(stack: Stack) -> None:
    run = stack.run("manage.py", "demo", STACK_DIR="/nonexistent")
    assert run.returncode == 1
    assert "make up" in run.stderr
