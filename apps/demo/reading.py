"""The boards over HTTP: declaring them, and reading them as any client does."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import httpx

from apps.demo import differences
from apps.demo.boards import BOARDS, Rank
from apps.demo.connections import patiently
from apps.demo.facts import Facts
from apps.demo.failure import Failed

MOST: Final = 1_000  # entries that one answer gives
# Redis is written after the commit, so a read may be older than PostgreSQL for a moment.
READ_PATIENCE: Final = 10.0  # seconds
INTERVAL: Final = 0.1  # seconds
_DAY: Final = "2021-10-01"


class BoardNotDeclared(Failed):
    """The server does not take a declaration."""


class BoardUnreadable(Failed):
    """The server does not give a board."""


def declare_boards(http: httpx.Client, games: list[str]) -> int:
    """Declare the demo's boards; how many were new. Raises BoardNotDeclared."""
    return sum(
        _declare(http, game_id, board.declaration()) for game_id in games for board in BOARDS
    )


def _declare(http: httpx.Client, game_id: str, declaration: Mapping[str, Any]) -> bool:
    path = f"/api/v1/games/{game_id}/leaderboards"
    # 503 is also the answer while the log is behind the boards.
    response = patiently(lambda: http.post(path, json=declaration))
    if response.status_code in {200, 201}:
        return response.status_code == 201
    told = f"{response.status_code} {response.text[:300]}"
    raise BoardNotDeclared(f"{game_id}/{declaration['name']}: {told}")


def read_board(
    http: httpx.Client, game_id: str, name: str, period: str = "alltime", limit: int = MOST
) -> tuple[int, list[Rank]]:
    """How many players the board has, and its first `limit`. Raises BoardUnreadable."""
    query = {"period": period, "at": _DAY, "limit": str(limit), "scores": "string"}
    path = f"/api/v1/leaderboards/{game_id}/{name}"
    response = patiently(lambda: http.get(path, params=query))
    if response.status_code != 200:
        told = f"{response.status_code} {response.text[:300]}"
        raise BoardUnreadable(f"{game_id}/{name}: {told}")
    body = response.json()
    return body["total"], [
        Rank(
            entry["player_id"],
            Decimal(entry["score"]),
            datetime.fromisoformat(entry["achieved_at"]),
        )
        for entry in body["entries"]
    ]


def board_problems(http: httpx.Client, facts: Facts) -> list[str]:
    """What the API shows otherwise than the facts, after a moment's patience."""
    lines: list[str] = []
    for (game_id, name), board in facts.ranks.items():
        for period in ("alltime", "daily", "weekly"):
            lines += _read_problems(http, game_id, name, period, list(board))
    return lines


def _read_problems(
    http: httpx.Client, game_id: str, name: str, period: str, expected: list[Rank]
) -> list[str]:
    until = time.monotonic() + READ_PATIENCE
    pause = threading.Event()
    what = f"GET {game_id}/{name} {period}"
    while True:
        total, found = read_board(http, game_id, name, period)
        lines = differences.of_values(f"{what}, total", len(expected), total)
        lines += differences.of_sequences(what, expected[:MOST], found)
        if not lines or time.monotonic() > until:
            return lines
        pause.wait(INTERVAL)
