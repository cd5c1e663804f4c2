"""Players' statistics, of all time and by day, with what the log adds up to."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.ledger import given
from apps.ledger.versions import FRESH
from apps.reconcile import selectors
from apps.reconcile.findings import Kind, Part
from apps.reconcile.game_totals import add_up, hold_still
from apps.reconcile.projections import Changes, Difference
from apps.stats import cache

# Counted from single events in one grouping a level, nothing merged: unlike the consumer's fold.
# The day -infinity is all time.
_EXPECTED: Final = f"""
WITH given AS ({given.applied(Consumer.STATS)}),
spread AS (
  SELECT g.player_id, d.day, g.event_type, g.at, g.session_id FROM given AS g,
         LATERAL (VALUES ((g.at AT TIME ZONE 'UTC')::date), ('-infinity')) AS d(day)
), by_type AS (
  SELECT player_id, day, event_type, count(*) AS n, min(at) AS first_at, max(at) AS last_at
    FROM spread GROUP BY player_id, day, event_type
), by_session AS (
  SELECT player_id, day, array_agg(DISTINCT session_id ORDER BY session_id) AS ids
    FROM spread WHERE session_id IS NOT NULL GROUP BY player_id, day
), counted AS (
  SELECT player_id, day, sum(n)::bigint AS total_events,
         jsonb_object_agg(event_type, n) AS breakdown, min(first_at) AS first_at,
         max(last_at) AS last_at
    FROM by_type GROUP BY player_id, day
), expected AS (
  SELECT c.*, coalesce(cardinality(s.ids), 0) AS sessions, s.ids
    FROM counted AS c LEFT JOIN by_session AS s USING (player_id, day)
)
"""
_PLAYERS: Final = """
{row}.game_id = %(game_id)s
       AND (%(players)s::text[] IS NULL OR {row}.player_id = ANY(%(players)s::text[]))"""
_DIFFERING: Final = f"""{_EXPECTED}, found AS (
  SELECT p.player_id, date '-infinity' AS day, p.total_events, p.event_breakdown,
         p.first_event_at, p.last_event_at, p.sessions
    FROM player_statistics AS p WHERE {_PLAYERS.format(row="p")}
  UNION ALL
  SELECT d.player_id, d.day, d.total_events, d.event_breakdown, d.first_event_at,
         d.last_event_at, d.sessions
    FROM player_statistics_daily AS d WHERE {_PLAYERS.format(row="d")}
), claimed AS (
  SELECT c.player_id, c.day, array_agg(c.session_id ORDER BY c.session_id) AS ids
    FROM player_sessions AS c WHERE {_PLAYERS.format(row="c")} GROUP BY c.player_id, c.day
), held AS (
  SELECT * FROM found FULL JOIN claimed USING (player_id, day)
)
SELECT coalesce(x.player_id, s.player_id),
       CASE WHEN isfinite(coalesce(x.day, s.day)) THEN coalesce(x.day, s.day)::text END,
       x.total_events, x.breakdown::text, x.first_at, x.last_at, x.sessions,
       s.total_events, s.event_breakdown::text, s.first_event_at, s.last_event_at, s.sessions,
       x.ids IS NOT DISTINCT FROM s.ids
  FROM expected AS x FULL JOIN held AS s ON s.player_id = x.player_id AND s.day = x.day
 WHERE (x.total_events, x.breakdown, x.first_at, x.last_at, x.sessions, x.ids)
       IS DISTINCT FROM (s.total_events, s.event_breakdown, s.first_event_at, s.last_event_at,
                         s.sessions, s.ids)
 ORDER BY 1, 2 NULLS FIRST
"""
_REBUILD: Final = f"""{_EXPECTED}, days AS (
  INSERT INTO player_statistics_daily AS s (game_id, player_id, day, total_events,
              event_breakdown, first_event_at, last_event_at, sessions)
  SELECT %(game_id)s, player_id, day, total_events, breakdown, first_at, last_at, sessions
    FROM expected WHERE isfinite(day) ORDER BY player_id, day
      ON CONFLICT (game_id, player_id, day) DO UPDATE SET
         total_events = EXCLUDED.total_events, event_breakdown = EXCLUDED.event_breakdown,
         first_event_at = EXCLUDED.first_event_at, last_event_at = EXCLUDED.last_event_at,
         sessions = EXCLUDED.sessions, updated_at = now()
), gone_days AS (
  DELETE FROM player_statistics_daily AS d
   WHERE {_PLAYERS.format(row="d")} AND NOT EXISTS (
         SELECT 1 FROM expected AS x WHERE x.player_id = d.player_id AND x.day = d.day)
), claims AS (
  INSERT INTO player_sessions (game_id, player_id, day, session_id)
  SELECT %(game_id)s, player_id, day, session_id FROM expected, unnest(ids) AS session_id
      ON CONFLICT DO NOTHING
), gone_claims AS (
  DELETE FROM player_sessions AS c
   WHERE {_PLAYERS.format(row="c")} AND NOT EXISTS (
         SELECT 1 FROM expected AS x
          WHERE x.player_id = c.player_id AND x.day = c.day AND c.session_id = ANY(x.ids))
)
INSERT INTO player_statistics AS s (player_id, game_id, total_events, event_breakdown,
                                    first_event_at, last_event_at, sessions, version)
SELECT player_id, %(game_id)s, total_events, breakdown, first_at, last_at, sessions, {FRESH}
  FROM expected WHERE NOT isfinite(day) ORDER BY player_id
    ON CONFLICT (player_id, game_id) DO UPDATE SET
       total_events = EXCLUDED.total_events, event_breakdown = EXCLUDED.event_breakdown,
       first_event_at = EXCLUDED.first_event_at, last_event_at = EXCLUDED.last_event_at,
       sessions = EXCLUDED.sessions,
       version = greatest(s.version + 1, EXCLUDED.version), updated_at = now()
RETURNING s.player_id
"""
_REMOVE: Final = """
DELETE FROM player_statistics WHERE game_id = %s AND player_id = ANY(%s) AND NOT player_id = ANY(%s)
"""


class StatisticsProjection:
    """What the stats consumer folds."""

    part = Part.STATISTICS
    kind = Kind.STATISTICS_DIFFER
    consumer = Consumer.STATS
    remedy = "recompute the player from the log"

    def games(self) -> list[str]:
        return selectors.games("events", "player_statistics")

    def hold_still(self) -> None:
        hold_still()

    def differing(self, game_id: str, players: list[str] | None) -> list[Difference]:
        with connection.cursor() as cursor:
            cursor.execute(_DIFFERING, _parameters(game_id, players))
            return [
                Difference(
                    player_id=row[0],
                    where="/".join(filter(None, (game_id, row[0], row[1]))),
                    expected=_told(row[2:7]),
                    found=_told(row[7:12]) + ("" if row[12] else ", other sessions claimed"),
                )
                for row in cursor.fetchall()
            ]

    def rebuild(self, game_id: str, players: list[str]) -> Changes:
        with connection.cursor() as cursor:
            cursor.execute(_REBUILD, _parameters(game_id, players))
            kept = [row[0] for row in cursor.fetchall()]
            cursor.execute(_REMOVE, [game_id, players, kept])
        # Whoever applied an event anew has counted it for the game a second time.
        add_up(game_id)
        return [(player_id, game_id) for player_id in players]

    def refresh(self, changes: Changes) -> None:
        refresh_copies(changes)


def refresh_copies(changes: Changes) -> None:
    """Of (player_id, game_id): the next read takes the row as it is now, if there is one."""
    cache.drop(changes)


def _parameters(game_id: str, players: list[str] | None) -> dict[str, Any]:
    return {"game_id": game_id, "players": players, "types": None}


def _told(row: tuple[Any, ...]) -> str:
    total, breakdown, first_at, last_at, sessions = row
    if total is None:
        return "no row"
    span = f"from {first_at:%FT%TZ} to {last_at:%FT%TZ}"
    return f"{total:,} events {breakdown} {span} in {sessions:,} sessions"
