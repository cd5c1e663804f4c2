"""The boards of 999 games of Lichess, to the last tie, as somebody else worked them out.

The answers came with the data (`apps/demo/data/lichess/SOURCE.md`), computed from the games by a
script that shares nothing with us.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from apps.demo.lichess import recording
from tests.acceptance.games import Game
from tests.acceptance.streams import Event

ANSWERS: Final = Path(__file__).parent / "data" / "lichess-leaderboards.json.gz"
# The metrics of the answers, and where our events have them.
POINTERS: Final = {"points": "/score", "rating_after": "/rating_after"}
OPERATORS: Final = ("best", "sum")
PERIODS: Final = ("alltime", "daily", "weekly")
ALL_GAMES: Final = "*"


class Line(NamedTuple):
    """An entry as the API answers it, with its competition rank."""

    rank: int
    player_id: str
    score: float
    achieved_at: datetime


Board = list[Line]
Key = tuple[str, str, str, str]  # metric, game, operator, period


@pytest.mark.timeout(300)
def test_every_board_of_the_recorded_games_equals_its_answers(game: Game) -> None:
    events = list(finished_games(game))
    names = sorted({event["game_id"] for event in events})
    for name in names:
        for metric, pointer in POINTERS.items():
            for operator in OPERATORS:
                declare(game, name, declaration(metric, pointer, operator))
    game.send(events)
    game.applied()
    seen: dict[Key, Board] = {}
    for metric in POINTERS:
        for operator in OPERATORS:
            for period in PERIODS:
                boards = {name: board(game, name, f"{metric}-{operator}", period) for name in names}
                seen |= {(metric, own(name), operator, period): b for name, b in boards.items()}
                seen[metric, ALL_GAMES, operator, period] = merged(operator, boards.values())
    wrong = [
        f"{key}: {problem}"
        for key, expected in answers().items()
        for problem in differences(key, seen[key], expected)
    ]
    assert seen.keys() == answers().keys()
    assert not wrong, wrong[:10]


def declare(game: Game, name: str, declared: Mapping[str, Any]) -> None:
    key = game.stack.env["MANAGEMENT_KEY"]
    answer = game.http.post(
        f"/api/v1/games/{name}/leaderboards",
        json=declared,
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 201, answer.text


def finished_games(game: Game) -> Iterable[Event]:
    """The events with a score, in games of this test."""
    for line in recording().lines:
        event = json.loads(line)
        if event["event_type"] == "game_finished":
            event["game_id"] = f"{game.game_id}.{event['game_id']}"
            event["event_id"] = str(uuid.uuid5(uuid.UUID(event["event_id"]), game.game_id))
            yield event


def own(name: str) -> str:
    """The name that the game has in the answers."""
    return name.rpartition(".")[2]


def declaration(metric: str, pointer: str, operator: str) -> dict[str, Any]:
    return {
        "name": f"{metric}-{operator}",
        "event_types": ["game_finished"],
        "score": pointer,
        "operator": operator,
        "periods": list(PERIODS),
    }


def board(game: Game, name: str, of: str, period: str) -> Board:
    """The whole board, page by page."""
    found: Board = []
    asked = {"period": period, "at": "2021-10-01", "rank_mode": "competition", "limit": "400"}
    while True:
        answer = game.http.get(f"/api/v1/leaderboards/{name}/{of}", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for entry in page["entries"]:
            at = datetime.fromisoformat(entry["achieved_at"])
            found.append(Line(entry["rank"], entry["player_id"], entry["score"], at))
        if page["next"] is None:
            assert len(found) == page["total"]
            return found
        asked["cursor"] = page["next"]


def merged(operator: str, boards: Iterable[Board]) -> Board:
    """One board of all games, from theirs; a sum's time is not told."""
    theirs: defaultdict[str, list[Line]] = defaultdict(list)
    for one in boards:
        for line in one:
            theirs[line.player_id].append(line)
    found = []
    for player, lines in theirs.items():
        first = min(lines, key=in_order)
        score = sum(line.score for line in lines) if operator == "sum" else first.score
        found.append(first._replace(player_id=player, score=score))
    ordered = sorted((line.score for line in found), reverse=True)
    return [line._replace(rank=ordered.index(line.score) + 1) for line in found]


def answers() -> Mapping[Key, Mapping[str, Any]]:
    with gzip.open(ANSWERS) as file:
        found = json.load(file)
    return {
        (metric, name, operator, period): (
            boards if period == "alltime" else next(iter(boards.values()))
        )
        for metric, games in found.items()
        for name, operators in games.items()
        for operator, periods in operators.items()
        for period, boards in periods.items()
    }


def differences(key: Key, seen: Board, expected: Mapping[str, Any]) -> Iterable[str]:
    """Where the board is not the answer's: players, first 25, ties, and who is cut off."""
    if len(seen) != expected["players"]:
        yield f"{len(seen)} players, not {expected['players']}"
    lines = {line.player_id: line for line in seen}
    for entry in expected["top"]:
        line = lines.get(entry["player_id"])
        if line is None or (line.rank, line.score) != (entry["rank"], entry["value"]):
            yield f"{line}, not {entry}"
        elif "at" in entry and line.achieved_at != datetime.fromisoformat(entry["at"]):
            yield f"{line} was reached at {entry['at']}"
    tied: defaultdict[float, list[str]] = defaultdict(list)
    for line in seen:
        tied[line.score].append(line.player_id)
    for tie in expected["ties"]:
        players = sorted(tied[tie["value"]])
        if (len(players), players[: len(tie["players"])]) != (tie["count"], tie["players"]):
            yield f"{len(players)} players at {tie['value']}: {players[:5]}, not {tie}"
    cut = expected["cut"]
    if cut is not None and len(tied[cut["value"]]) != cut["players_with_it"]:
        yield f"{len(tied[cut['value']])} players at {cut['value']}, not {cut}"
    if key[1] != ALL_GAMES and seen != sorted(seen, key=in_order):
        yield "not by score, time and player"


def in_order(line: Line) -> tuple[float, datetime, str]:
    return -line.score, line.achieved_at, line.player_id
