"""Processes are killed in the middle of a stream: the totals are right in the end."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gamemetrics.stack.processes import is_alive, named, send
from gamemetrics.stack.supervision import Supervisor
from tests.acceptance.faults import comes_back, is_back, kill, kill_with_children, terminate
from tests.acceptance.games import Game
from tests.acceptance.streams import expected, stream
from tests.acceptance.waiting import until

CONSUMERS = ("worker-logging", "worker-stats", "worker-leaderboards")
EVENTS = 3_000
SECONDS_TO_END = 15


@pytest.mark.parametrize("name", ["bridge", *CONSUMERS])
def test_a_process_killed_in_the_middle_of_a_stream_changes_no_total(game: Game, name: str) -> None:
    events = stream(game.game_id, EVENTS)
    killed: list[int] = []
    game.send(events, halfway=lambda: killed.append(kill(game.stack, name)))
    assert game.applied() == expected(events)
    comes_back(game.stack, name, killed[0])


def test_all_consumers_and_the_bridge_killed_at_once_change_no_total(game: Game) -> None:
    events = stream(game.game_id, EVENTS)
    killed: dict[str, int] = {}

    def kill_them() -> None:
        for name in ("bridge", *CONSUMERS):
            killed[name] = game.stack.pid(name)
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)

    game.send(events, halfway=kill_them)
    assert game.applied() == expected(events)
    for name, pid in killed.items():
        comes_back(game.stack, name, pid)


def test_a_web_process_killed_in_the_middle_of_a_stream_costs_only_repeats(game: Game) -> None:
    events = stream(game.game_id, EVENTS)
    killed: list[int] = []
    # Beside the stream, so that a request is on its way when it happens.
    killer = threading.Thread(target=lambda: killed.append(kill_with_children(game.stack, "web")))
    repeats = game.send(events, halfway=killer.start)
    killer.join()
    assert repeats > 0
    assert game.applied() == expected(events)
    comes_back(game.stack, "web", killed[0])


@pytest.mark.parametrize("name", ["web", "bridge", *CONSUMERS])
def test_a_process_told_to_end_in_the_middle_of_a_stream_ends_soon_and_loses_nothing(
    game: Game, name: str
) -> None:
    events = stream(game.game_id, EVENTS)
    ended: list[int] = []
    # Beside the stream, so that requests and chunks are on their way when it happens.
    ender = threading.Thread(
        target=lambda: ended.append(terminate(game.stack, name, seconds=SECONDS_TO_END))
    )
    game.send(events, halfway=ender.start)
    ender.join()
    assert ended, f"{name} did not end in time"
    until(lambda: is_back(game.stack, name, ended[0]), f"{name} is back")
    assert game.applied() == expected(events)


@pytest.mark.parametrize("away", ["silent", "refused"])
def test_processes_that_wait_for_postgres_end_soon_when_told_to(game: Game, away: str) -> None:
    events = stream(game.game_id, EVENTS)
    game.send(events[: EVENTS // 2])
    with postgres_silent(game) if away == "silent" else postgres_down(game):
        game.send(events[EVENTS // 2 :])
        told = {name: game.stack.pid(name) for name in ("bridge", "worker-stats")}
        for pid in told.values():
            os.kill(pid, signal.SIGTERM)
        until(
            lambda: not any(map(is_alive, told.values())),
            f"{told} ended",
            seconds=SECONDS_TO_END,
        )
    for name, pid in told.items():
        comes_back(game.stack, name, pid)
    assert game.applied() == expected(events)


@contextmanager
def postgres_silent(game: Game) -> Iterator[None]:
    """PostgreSQL and its children are there and answer nothing until the end of the block."""
    pids = named(game.stack.layout, "postgres")
    send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)


@contextmanager
def postgres_down(game: Game) -> Iterator[None]:
    """PostgreSQL is shut down until the end of the block: connections are refused."""
    supervisor, pid = Supervisor(layout=game.stack.layout), game.stack.pid("postgres")
    supervisor.ask_to_stop("postgres")
    until(lambda: not is_alive(pid), "postgres is down")
    try:
        yield
    finally:
        supervisor.start("postgres")
