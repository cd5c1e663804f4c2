"""Reconcile on the whole stack: nothing to tell while events stream in, damage by hand mended."""

import json
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.games import Game
from tests.acceptance.streams import expected, stream
from tests.services import Stack

EVENTS = 3_000


def reconcile(
    game: Game, *arguments: str, changes: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environ = {**game.stack.environ, **game.stack.env, **(changes or {})}
    return Stack(environ=environ).run("manage.py", "reconcile", *arguments)


def test_a_run_while_events_stream_in_finds_nothing(game: Game) -> None:
    events = stream(game.game_id, EVENTS)
    done = threading.Event()

    def send() -> None:
        for first in range(0, EVENTS, 100):
            game.send(events[first : first + 100])
        game.send(events[:500])  # repeats
        done.set()

    sender = threading.Thread(target=send)
    sender.start()
    runs = 0
    while not done.is_set() or not runs:
        told = reconcile(game)
        assert told.returncode == 0, told.stdout + told.stderr
        runs += 1
    sender.join()
    assert game.applied() == expected(events)
    told = reconcile(game, "--repair")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "nothing differs" in told.stdout


def test_a_row_deleted_by_hand_is_found_by_its_id_and_repaired(game: Game, tmp_path: Path) -> None:
    events = stream(game.game_id, 600)
    game.send(events)
    right = game.applied()
    deleted = events[300]["event_id"]
    changes = (
        f"DELETE FROM events WHERE event_id = '{deleted}' RETURNING 1",
        f"DELETE FROM player_statistics WHERE game_id = '{game.game_id}'"
        " AND player_id = 'ada' RETURNING 1",
        f"UPDATE leaderboards SET score = score + 1 WHERE game_id = '{game.game_id}'"
        " AND player_id = 'bo' AND period = 'alltime' RETURNING 1",
    )
    for change in changes:
        assert len(game.sql(change)) == 1
    named = tmp_path / "findings.ndjson"
    found = reconcile(game, "--json", str(named))
    assert found.returncode == 1, found.stdout + found.stderr
    assert deleted in found.stdout
    lines = [json.loads(line) for line in named.read_text().splitlines()]
    assert deleted in {line.get("event_id") for line in lines}
    assert lines[-1]["not_repaired"] == len(lines) - 1
    repaired = reconcile(game, "--repair")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert game.totals() == right == expected(events)
    again = reconcile(game)
    assert again.returncode == 0, again.stdout + again.stderr
    answer = game.http.get("/api/v1/players/ada/stats", params={"game_id": game.game_id})
    assert answer.json()["total_events"] == right.statistics["ada"][0]


def test_what_cannot_be_compared_is_told_by_exit_2(game: Game) -> None:
    away = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    told = reconcile(game, "--only", "kafka,statistics", changes=away)
    assert told.returncode == 2, told.stdout + told.stderr
    assert "could not compare kafka" in told.stdout
