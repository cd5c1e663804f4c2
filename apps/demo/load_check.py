"""Whether the pipeline shows what was sent under load."""

from __future__ import annotations

from typing import Final

from apps.demo import differences
from apps.demo.database import Database
from apps.demo.oracle import Oracle

_TOTAL: Final = "SELECT count(*) FROM events WHERE game_id = %s"
_IDS: Final = "SELECT count(DISTINCT event_id) FROM events WHERE game_id = %s"
_BY_TYPE: Final = "SELECT event_type, count(*) FROM events WHERE game_id = %s GROUP BY 1"
_SUM: Final = "SELECT sum(total_events) FROM player_statistics WHERE game_id = %s"
_BY_PLAYER: Final = "SELECT player_id, total_events FROM player_statistics WHERE game_id = %s"
_BREAKDOWN: Final = """
SELECT d.key, sum(d.value::bigint)
  FROM player_statistics AS s, jsonb_each_text(s.event_breakdown) AS d
 WHERE s.game_id = %s GROUP BY 1
"""
_SCORES: Final = """
SELECT player_id, score FROM leaderboards
 WHERE game_id = %s AND board = 'default' AND period = 'alltime'
"""
_DEAD: Final = "SELECT count(*) FROM dlq_events WHERE game_id = %s"


def dead_letters(database: Database, game_id: str) -> int:
    return database.count(_DEAD, game_id)


def problems(database: Database, game_id: str, oracle: Oracle) -> list[str]:
    """What differs from the oracle, one line each; none where all is right."""
    events, types = oracle.events, oracle.by_type
    return [
        *differences.of_values("events", events, database.count(_TOTAL, game_id)),
        *differences.of_values("event ids", events, database.count(_IDS, game_id)),
        *differences.of_mappings("events of type", types, _table(database, _BY_TYPE, game_id)),
        *differences.of_values("sum of the statistics", events, database.count(_SUM, game_id)),
        *differences.of_mappings(
            "statistics of player", oracle.by_player, _table(database, _BY_PLAYER, game_id)
        ),
        *differences.of_mappings(
            "statistics of type", types, _table(database, _BREAKDOWN, game_id)
        ),
        *differences.of_mappings(
            "default board, score", oracle.scores, _table(database, _SCORES, game_id)
        ),
        *differences.of_values("dead letters", 0, dead_letters(database, game_id)),
    ]


def _table(database: Database, query: str, game_id: str) -> dict[str, object]:
    return {str(name): value for name, value in database.rows(query, game_id)}
