"""What a newcomer tries first, copied from the documentation."""

import shlex
import shutil
import subprocess

import pytest

from tests.acceptance.games import Game
from tests.acceptance.streams import expected, lichess
from tests.services import Stack

CURL = """curl -X POST http://localhost:8080/api/v1/events -H "Content-Type: application/json" \\
  -d '{"event_type":"test","player_id":"test","game_id":"test","timestamp":"2024-01-15T10:00:00Z","data":{}}'
"""  # noqa: E501  verbatim
QUERIES = (
    "SELECT COUNT(*) FROM events;",
    "SELECT COUNT(DISTINCT player_id) FROM events;",
    "SELECT event_type, COUNT(*) FROM events GROUP BY event_type;",
    "SELECT player_id, score FROM leaderboards WHERE period='alltime' ORDER BY score DESC"
    " LIMIT 100;",
)


def run_curl(url: str) -> str:
    """The documented command, with the port of this stack; its output."""
    port = url.rpartition(":")[2]
    command = shlex.split(CURL.replace(":8080/", f":{port}/").replace("\\\n", ""))
    sent = subprocess.run(
        [*command, "--silent", "--show-error", "--write-out", "\n%{http_code}", "--noproxy", "*"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert sent.returncode == 0, sent.stderr
    return sent.stdout


def psql(stack: Stack, query: str) -> list[list[str]]:
    client = shutil.which("psql")
    if client is None:
        pytest.skip("no psql on PATH")
    asked = subprocess.run(
        [client, stack.env["DATABASE_URL"], "-X", "-A", "-t", "-F", "\t", "-c", query],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert asked.returncode == 0, asked.stderr
    return [line.split("\t") for line in asked.stdout.splitlines()]


def test_the_documented_curl_is_accepted_and_its_event_is_in_the_log(game: Game) -> None:
    body, status = run_curl(game.stack.url).rsplit("\n", 1)
    assert status == "202"
    assert body.startswith('{"status":"success","event_id":"')
    game.applied()
    event_id = body.split('"')[7]
    rows = game.sql(
        "SELECT event_type, player_id, game_id, event_timestamp::text, data FROM events"
        " WHERE event_id = %s",
        event_id,
    )
    assert rows == [("test", "test", "test", "2024-01-15 10:00:00+00", {})]


# Above every score of the other tests that share the stack: the fourth query asks all games.
TOP = 10**29


def test_the_documented_queries_run_as_they_are_written(game: Game) -> None:
    before = [psql(game.stack, query) for query in QUERIES]
    events = [
        game.event(player, event_id=event["event_id"], event_type=kind, data={"score": TOP})
        for player, kind, event in zip(
            ("first-query-ada", "first-query-ada", "first-query-bo"),
            ("player_score", "query_probe", "player_score"),
            lichess(game.game_id, 3),
            strict=True,
        )
    ]
    assert game.post(events).status_code == 202
    assert game.applied() == expected(events)
    after = [psql(game.stack, query) for query in QUERIES]
    assert int(after[0][0][0]) - int(before[0][0][0]) == 3
    assert int(after[1][0][0]) - int(before[1][0][0]) == 2
    assert ["query_probe", "1"] in after[2]
    assert sorted(after[3][:2]) == [["first-query-ada", str(TOP)], ["first-query-bo", str(TOP)]]
    assert len(after[3]) <= 100
