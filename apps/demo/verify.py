"""Whether the pipeline shows what the shipped events add up to."""

from __future__ import annotations

from typing import Final

from apps.demo import differences
from apps.demo.boards import Rank
from apps.demo.database import Database
from apps.demo.facts import Facts, Statistics

# The start of the one day and the one week that the demo's events are of.
PERIOD_STARTS: Final = {
    "alltime": "1970-01-01T00:00:00Z",
    "daily": "2021-10-01T00:00:00Z",
    "weekly": "2021-09-27T00:00:00Z",
}
_TOTAL: Final = "SELECT count(*) FROM events WHERE game_id = ANY(%s)"
_PLAYERS: Final = "SELECT count(DISTINCT player_id) FROM events WHERE game_id = ANY(%s)"
_BY_TYPE: Final = "SELECT event_type, count(*) FROM events WHERE game_id = ANY(%s) GROUP BY 1"
_BY_GAME: Final = "SELECT game_id, count(*) FROM events WHERE game_id = ANY(%s) GROUP BY 1"
_STATISTICS: Final = """
SELECT player_id, game_id, total_events, event_breakdown, first_event_at, last_event_at
  FROM player_statistics WHERE game_id = ANY(%s)
"""
_BOARDS: Final = """
SELECT game_id, board, period, period_start, player_id, score, achieved_at
  FROM leaderboards WHERE game_id = ANY(%s) AND board = ANY(%s)
 ORDER BY score DESC, achieved_at, player_id COLLATE "C"
"""
_DEAD: Final = "SELECT count(*) FROM dlq_events WHERE game_id = ANY(%s)"


def count(database: Database, facts: Facts) -> int:
    """The demo's events in the log."""
    return database.count(_TOTAL, facts.games)


def players(database: Database, facts: Facts) -> int:
    return database.count(_PLAYERS, facts.games)


def dead_letters(database: Database, games: list[str]) -> int:
    return database.count(_DEAD, games)


def problems(database: Database, facts: Facts) -> list[str]:
    """What differs from the facts, one line each; none where all is right."""
    games = facts.games
    return [
        *differences.of_values("events", facts.events, count(database, facts)),
        *differences.of_values("players", facts.players, players(database, facts)),
        *differences.of_mappings(
            "events of type", facts.by_type, _counts(database, _BY_TYPE, games)
        ),
        *differences.of_mappings(
            "events of game", facts.by_game, _counts(database, _BY_GAME, games)
        ),
        *differences.of_mappings("statistics", facts.statistics, _statistics(database, games)),
        *_board_problems(database, facts),
        *differences.of_values("dead letters", 0, dead_letters(database, games)),
    ]


def _counts(database: Database, query: str, games: list[str]) -> dict[str, int]:
    return {str(name): int(count) for name, count in database.rows(query, games)}


def _statistics(database: Database, games: list[str]) -> dict[tuple[str, str], Statistics]:
    return {
        (player_id, game_id): Statistics(total, by_type, first_at, last_at)
        for player_id, game_id, total, by_type, first_at, last_at in database.rows(
            _STATISTICS, games
        )
    }


def _board_problems(database: Database, facts: Facts) -> list[str]:
    found: dict[tuple[str, str, str, str], list[Rank]] = {}
    names = sorted({name for _, name in facts.ranks})
    for game_id, board, period, start, *rank in database.rows(_BOARDS, facts.games, names):
        key = (game_id, board, period, f"{start:%Y-%m-%dT%H:%M:%SZ}")
        found.setdefault(key, []).append(Rank(*rank))
    expected = {
        (game_id, name, period, start): list(board)
        for (game_id, name), board in facts.ranks.items()
        for period, start in PERIOD_STARTS.items()
    }
    lines = differences.of_values("boards and periods", sorted(expected), sorted(found))
    for key, board in expected.items():
        what = f"board {key[0]}/{key[1]} {key[2]}"
        lines += differences.of_sequences(what, board, found.get(key, []))
    return lines
