"""Totals of games, with what the rows of their players add up to."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.reconcile import selectors
from apps.reconcile.findings import Kind, Part
from apps.reconcile.projections import Changes, Difference
from apps.stats.locks import hold_statistics_still

# The players' rows are compared with the log before this. All time is the day NULL.
_DIFFERING: Final = """
WITH expected AS (
  SELECT day, sum(total_events)::bigint AS events, count(*) AS players
    FROM player_statistics_daily WHERE game_id = %(game_id)s GROUP BY day
  UNION ALL
  SELECT NULL, sum(total_events)::bigint, count(*)
    FROM player_statistics WHERE game_id = %(game_id)s HAVING count(*) > 0
), found AS (
  SELECT day, sum(total_events)::bigint AS events, sum(active_players)::bigint AS players
    FROM game_statistics_daily WHERE game_id = %(game_id)s GROUP BY day
  UNION ALL
  SELECT NULL, sum(total_events)::bigint, sum(players)::bigint
    FROM game_statistics WHERE game_id = %(game_id)s HAVING count(*) > 0
)
SELECT coalesce(x.day, f.day)::text, x.events, x.players, f.events, f.players
  FROM expected AS x FULL JOIN found AS f
    ON coalesce(f.day, '-infinity') = coalesce(x.day, '-infinity')
 WHERE (x.events, x.players) IS DISTINCT FROM (f.events, f.players) ORDER BY 1 NULLS FIRST
"""
_REBUILD: Final = """
DELETE FROM game_statistics_daily WHERE game_id = %(game_id)s;
DELETE FROM game_statistics WHERE game_id = %(game_id)s;
INSERT INTO game_statistics_daily (game_id, day, shard, total_events, active_players)
SELECT game_id, day, 0, sum(total_events), count(*)
  FROM player_statistics_daily WHERE game_id = %(game_id)s GROUP BY game_id, day;
INSERT INTO game_statistics (game_id, shard, total_events, players)
SELECT game_id, 0, sum(total_events), count(*)
  FROM player_statistics WHERE game_id = %(game_id)s GROUP BY game_id
"""
# It conflicts with every writer and no reader. The consumer takes its own table locks before its
# statement inserts anything, so the two cannot wait for each other. Workers of before the advisory
# lock know this one alone.
_STILL: Final = "LOCK TABLE player_statistics IN SHARE ROW EXCLUSIVE MODE"
# A game stands here for its players: one answer for all of them.
_WHOLE: Final = ""


def hold_still() -> None:
    """The stats consumer applies nothing until the transaction ends; waits for what it is at."""
    hold_statistics_still()
    with connection.cursor() as cursor:
        cursor.execute(_STILL)


def add_up(game_id: str) -> None:
    """Write the game's totals as its players' rows add up."""
    with connection.cursor() as cursor:
        cursor.execute(_REBUILD, {"game_id": game_id})


class GameTotalsProjection:
    """What the stats consumer counts for a game, beside its players."""

    part = Part.STATISTICS
    kind = Kind.GAME_TOTALS_DIFFER
    consumer = Consumer.STATS
    remedy = "add up the game's players again"

    def games(self) -> list[str]:
        return selectors.games("player_statistics_daily", "game_statistics_daily")

    def hold_still(self) -> None:
        hold_still()

    def differing(self, game_id: str, players: list[str] | None) -> list[Difference]:
        if players is not None and _WHOLE not in players:
            return []  # chosen players tell nothing about their game
        with connection.cursor() as cursor:
            cursor.execute(_DIFFERING, {"game_id": game_id})
            return [
                Difference(
                    player_id=_WHOLE,
                    where=game_id if row[0] is None else f"{game_id} on {row[0]}",
                    expected=_told(row[1:3]),
                    found=_told(row[3:5]),
                )
                for row in cursor.fetchall()
            ]

    def rebuild(self, game_id: str, players: list[str]) -> Changes:
        add_up(game_id)
        return []

    def refresh(self, changes: Changes) -> None:
        """Redis has no totals of games."""


def _told(row: tuple[Any, ...]) -> str:
    events, players = row
    return "no row" if events is None else f"{events:,} events of {players:,} players"
