"""Processes are killed in the middle of a stream: the totals are right in the end."""

import os
import signal
import threading

import pytest

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


@pytest.mark.parametrize("name", ["bridge", *CONSUMERS])
def test_a_process_told_to_end_in_the_middle_of_a_stream_ends_soon_and_loses_nothing(
    game: Game, name: str
) -> None:
    events = stream(game.game_id, EVENTS)
    ended: list[int] = []
    game.send(
        events,
        halfway=lambda: ended.append(terminate(game.stack, name, seconds=SECONDS_TO_END)),
    )
    until(lambda: is_back(game.stack, name, ended[0]), f"{name} is back")
    assert game.applied() == expected(events)
