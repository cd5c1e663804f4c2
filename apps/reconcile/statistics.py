"""player_statistics, with what the log adds up to for every player."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.ledger.versions import FRESH
from apps.reconcile import given, selectors
from apps.reconcile.findings import Kind, Part
from apps.reconcile.projections import Changes, Difference
from apps.stats import cache
from apps.stats import selectors as statistics

# Counted from single events in one grouping a level, nothing merged: unlike the consumer's fold.
_EXPECTED: Final = f"""
WITH given AS ({given.applied(Consumer.STATS)}),
by_type AS (
  SELECT player_id, event_type, count(*) AS n, min(at) AS first_at, max(at) AS last_at
    FROM given GROUP BY player_id, event_type
), expected AS (
  SELECT player_id, sum(n)::bigint AS total_events, jsonb_object_agg(event_type, n) AS breakdown,
         min(first_at) AS first_at, max(last_at) AS last_at
    FROM by_type GROUP BY player_id
)
"""
_DIFFERING: Final = f"""{_EXPECTED}
SELECT coalesce(x.player_id, s.player_id),
       x.player_id IS NOT NULL, x.total_events, x.breakdown::text, x.first_at, x.last_at,
       s.player_id IS NOT NULL, s.total_events, s.event_breakdown::text, s.first_event_at,
       s.last_event_at
  FROM expected AS x FULL JOIN (
       SELECT * FROM player_statistics AS p
        WHERE p.game_id = %(game_id)s
          AND (%(players)s::text[] IS NULL OR p.player_id = ANY(%(players)s::text[]))
       ) AS s ON s.player_id = x.player_id
 WHERE (x.total_events, x.breakdown, x.first_at, x.last_at)
       IS DISTINCT FROM (s.total_events, s.event_breakdown, s.first_event_at, s.last_event_at)
 ORDER BY 1
"""
_REBUILD: Final = f"""{_EXPECTED}
INSERT INTO player_statistics AS s (player_id, game_id, total_events, event_breakdown,
                                    first_event_at, last_event_at, version)
SELECT player_id, %(game_id)s, total_events, breakdown, first_at, last_at, {FRESH}
  FROM expected ORDER BY player_id
    ON CONFLICT (player_id, game_id) DO UPDATE SET
       total_events = EXCLUDED.total_events, event_breakdown = EXCLUDED.event_breakdown,
       first_event_at = EXCLUDED.first_event_at, last_event_at = EXCLUDED.last_event_at,
       version = greatest(s.version + 1, EXCLUDED.version), updated_at = now()
RETURNING s.player_id
"""
_REMOVE: Final = """
DELETE FROM player_statistics WHERE game_id = %s AND player_id = ANY(%s) AND NOT player_id = ANY(%s)
"""
# It conflicts with every writer and no reader. The consumer takes its own table locks before its
# statement inserts anything, so the two cannot wait for each other.
_STILL: Final = "LOCK TABLE player_statistics IN SHARE ROW EXCLUSIVE MODE"


class StatisticsProjection:
    """What the stats consumer folds."""

    part = Part.STATISTICS
    kind = Kind.STATISTICS_DIFFER
    consumer = Consumer.STATS
    remedy = "recompute the player from the log"

    def games(self) -> list[str]:
        return selectors.games("events", "player_statistics")

    def hold_still(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_STILL)

    def differing(self, game_id: str, players: list[str] | None) -> list[Difference]:
        with connection.cursor() as cursor:
            cursor.execute(_DIFFERING, _parameters(game_id, players))
            return [
                Difference(
                    player_id=row[0],
                    where=f"{game_id}/{row[0]}",
                    expected=_told(row[1:6]),
                    found=_told(row[6:11]),
                )
                for row in cursor.fetchall()
            ]

    def rebuild(self, game_id: str, players: list[str]) -> Changes:
        with connection.cursor() as cursor:
            cursor.execute(_REBUILD, _parameters(game_id, players))
            kept = [row[0] for row in cursor.fetchall()]
            cursor.execute(_REMOVE, [game_id, players, kept])
        return [(player_id, game_id) for player_id in players]

    def refresh(self, changes: Changes) -> None:
        """What has no row any more goes, the rest takes the new versions."""
        found = statistics.of_players(changes)
        cache.put(found)
        kept = {(item.player_id, item.game_id) for item in found}
        cache.drop(
            [cache.key(game, player) for player, game in changes if (player, game) not in kept]
        )


def _parameters(game_id: str, players: list[str] | None) -> dict[str, Any]:
    return {"game_id": game_id, "players": players, "types": None}


def _told(row: tuple[Any, ...]) -> str:
    exists, total, breakdown, first_at, last_at = row
    if not exists:
        return "no row"
    return f"{total:,} events {breakdown} from {first_at:%FT%TZ} to {last_at:%FT%TZ}"
