"""The SQL of a build: statistics added up from the log, in tables of the builder's own session.

`rebuilt_types` and `rebuilt_sessions` take what each page of the log adds; `rebuilt` and
`rebuilt_claims` are what they add up to. The day -infinity is all time. Aggregates are built beside
them, or alone (`aggregate_builds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from apps.contract.queues import Consumer
from apps.ledger import given, versions


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What a build adds up, in SQL. A build has one or more parts.

    `collect`: CTEs that take what a `page` of events adds. `add_up` sums what was collected;
    `add_touched` does it again for the players in `rebuilt_touched`. `switch`: statements, in this
    order, that write what differs.
    """

    tables: str
    drop: str
    collect: str
    add_up: str
    add_touched: str
    switch: tuple[str, ...]


KEY: Final = 'game_id text COLLATE "C", player_id text COLLATE "C", day date'
TABLES: Final = """
DROP TABLE IF EXISTS rebuilt_touched, rebuilt_noted, rebuilt_changes;
CREATE TEMP TABLE rebuilt_touched (game_id text COLLATE "C", player_id text COLLATE "C");
CREATE TEMP TABLE rebuilt_noted (event_id uuid);
CREATE TEMP TABLE rebuilt_changes (player_id text COLLATE "C", game_id text COLLATE "C")
"""
# All but the changes, of which Redis is told after the switch.
DROP: Final = "DROP TABLE rebuilt_touched, rebuilt_noted"
# Whole tables are compared with each other: row by row through an index would take minutes, which
# is what PostgreSQL chooses where it has not counted a table yet.
SET_BASED: Final = "SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '128MB'"
GAME: Final = "(%(game_id)s::text IS NULL OR {row}.game_id = %(game_id)s)"
_OF_TYPES: Final = f"""{GAME}
   AND (%(types)s::text[] IS NULL OR {{row}}.event_type = ANY(%(types)s::text[]))"""
_LOG: Final = given.in_log(
    Consumer.STATS,
    _OF_TYPES.format(row="e") + " AND e.ctid >= %(first)s::tid AND e.ctid < %(next)s::tid",
)
_IS_NOTED: Final = "{row}.event_id IN (SELECT event_id FROM rebuilt_noted)"
_NOTED: Final = f"""
SELECT * FROM ({given.in_log(Consumer.STATS, _IS_NOTED.format(row="e"))}) AS log
UNION ALL
SELECT * FROM ({given.in_letters(Consumer.STATS, _IS_NOTED)}) AS letters
"""


def _add(source: str, parts: Sequence[Part]) -> str:
    return f"""{given.edits(Consumer.STATS)},
page AS MATERIALIZED (
  SELECT event_id, game_id, player_id, (at AT TIME ZONE 'UTC')::date AS day, event_type, at,
         session_id, data FROM ({source}) AS given
), {", ".join(part.collect for part in parts)}"""


def add_log(parts: Sequence[Part]) -> str:
    """How many events were added.

    Parameters game_id and types (NULL: all), first and next: a range of the log's rows as they lie.
    """
    return f"{_add(_LOG, parts)} SELECT count(*) FROM page"


def add_letters(parts: Sequence[Part]) -> str:
    """How many events that are in no log were added. Parameters game_id and types."""
    letters = given.in_letters(Consumer.STATS, _OF_TYPES)
    return f"{_add(letters, parts)} SELECT count(*) FROM page"


def add_noted(parts: Sequence[Part]) -> str:
    """How many of the taken notes were added, and how many there are."""
    return f"""{_add(_NOTED, parts)}, touched AS (
  INSERT INTO rebuilt_touched SELECT DISTINCT game_id, player_id FROM page
), told AS (
  DELETE FROM stats_build_events AS n USING page WHERE n.event_id = page.event_id
)
SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM rebuilt_noted)"""


BLOCKS: Final = """
SELECT pg_relation_size('events') / current_setting('block_size')::int,
       (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'events'::regclass)
"""

# Claims that consumers noted since the build was opened; those that the log has by now are added.
TAKE_NOTES: Final = """
TRUNCATE rebuilt_noted;
INSERT INTO rebuilt_noted SELECT event_id FROM stats_build_events LIMIT %(limit)s
"""
# What is added up before the switch is added up again for those alone who were touched since.
OF_TOUCHED: Final = """
 WHERE (game_id, player_id) IN (SELECT game_id, player_id FROM rebuilt_touched)"""


def _add_up(whose: str) -> str:
    return f"""
INSERT INTO rebuilt_claims
SELECT DISTINCT s.game_id, s.player_id, d.day, s.session_id
  FROM (SELECT * FROM rebuilt_sessions {whose}) AS s,
       LATERAL (VALUES (s.day), ('-infinity')) AS d(day);
INSERT INTO rebuilt
WITH spread AS (
  SELECT t.game_id, t.player_id, d.day, t.event_type, t.n, t.first_at, t.last_at
    FROM (SELECT * FROM rebuilt_types {whose}) AS t,
         LATERAL (VALUES (t.day), ('-infinity')) AS d(day)
), by_type AS (
  SELECT game_id, player_id, day, event_type, sum(n)::bigint AS n, min(first_at) AS first_at,
         max(last_at) AS last_at
    FROM spread GROUP BY game_id, player_id, day, event_type
), counted AS (
  SELECT game_id, player_id, day, sum(n)::bigint, jsonb_object_agg(event_type, n),
         min(first_at), max(last_at)
    FROM by_type GROUP BY game_id, player_id, day
), by_session AS (
  SELECT game_id, player_id, day, count(DISTINCT session_id) AS n
    FROM rebuilt_claims {whose} GROUP BY game_id, player_id, day
)
SELECT c.*, coalesce(s.n, 0)
  FROM counted AS c LEFT JOIN by_session AS s USING (game_id, player_id, day)
"""


FORGET_TOUCHED: Final = "TRUNCATE rebuilt_touched"
_COLUMNS: Final = "total_events, event_breakdown, first_event_at, last_event_at, sessions"
_ROW: Final = ", ".join(f"{{row}}.{name}" for name in _COLUMNS.split(", "))
_SET: Final = ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS.split(", "))
# A row that is right already stays, with its version.
_TOTALS: Final = f"""
WITH gone AS (
  DELETE FROM player_statistics AS s WHERE {GAME.format(row="s")} AND NOT EXISTS (
         SELECT 1 FROM rebuilt AS r WHERE r.game_id = s.game_id AND r.player_id = s.player_id)
  RETURNING s.player_id, s.game_id
), written AS (
  INSERT INTO player_statistics AS s (player_id, game_id, {_COLUMNS}, version)
  SELECT r.player_id, r.game_id, {_ROW.format(row="r")}, {versions.FRESH}
    FROM rebuilt AS r LEFT JOIN player_statistics AS p USING (game_id, player_id)
   WHERE NOT isfinite(r.day)
     AND ({_ROW.format(row="r")}) IS DISTINCT FROM ({_ROW.format(row="p")})
   ORDER BY r.game_id, r.player_id
      ON CONFLICT (player_id, game_id) DO UPDATE SET {_SET},
         version = {versions.next_of("s")}, updated_at = now()
  RETURNING s.player_id, s.game_id
)
INSERT INTO rebuilt_changes
SELECT player_id, game_id FROM gone UNION ALL SELECT player_id, game_id FROM written
"""
_DAYS: Final = f"""
WITH gone AS (
  DELETE FROM player_statistics_daily AS s WHERE {GAME.format(row="s")} AND NOT EXISTS (
         SELECT 1 FROM rebuilt AS r
          WHERE r.game_id = s.game_id AND r.player_id = s.player_id AND r.day = s.day)
)
INSERT INTO player_statistics_daily AS s (player_id, game_id, day, {_COLUMNS})
SELECT r.player_id, r.game_id, r.day, {_ROW.format(row="r")}
  FROM rebuilt AS r LEFT JOIN player_statistics_daily AS p USING (game_id, player_id, day)
 WHERE isfinite(r.day) AND ({_ROW.format(row="r")}) IS DISTINCT FROM ({_ROW.format(row="p")})
 ORDER BY r.game_id, r.player_id, r.day
    ON CONFLICT (game_id, player_id, day) DO UPDATE SET {_SET}, updated_at = now()
"""
_SESSIONS: Final = f"""
DELETE FROM player_sessions AS p WHERE {GAME.format(row="p")} AND NOT EXISTS (
       SELECT 1 FROM rebuilt_claims AS c WHERE (c.game_id, c.player_id, c.session_id, c.day)
                                             = (p.game_id, p.player_id, p.session_id, p.day));
INSERT INTO player_sessions (game_id, player_id, session_id, day)
SELECT game_id, player_id, session_id, day FROM rebuilt_claims AS c
 WHERE NOT EXISTS (
       SELECT 1 FROM player_sessions AS p WHERE (c.game_id, c.player_id, c.session_id, c.day)
                                              = (p.game_id, p.player_id, p.session_id, p.day))
    ON CONFLICT DO NOTHING
"""
_GAMES: Final = f"""
DELETE FROM game_statistics AS s WHERE {GAME.format(row="s")};
DELETE FROM game_statistics_daily AS s WHERE {GAME.format(row="s")};
INSERT INTO game_statistics (game_id, shard, total_events, players)
SELECT game_id, 0, sum(total_events), count(*)
  FROM rebuilt WHERE NOT isfinite(day) GROUP BY game_id;
INSERT INTO game_statistics_daily (game_id, day, shard, total_events, active_players)
SELECT game_id, day, 0, sum(total_events), count(*)
  FROM rebuilt WHERE isfinite(day) GROUP BY game_id, day
"""
STATISTICS: Final = Part(
    tables=f"""
DROP TABLE IF EXISTS rebuilt_types, rebuilt_sessions, rebuilt_claims, rebuilt;
CREATE TEMP TABLE rebuilt_types (
  {KEY}, event_type text COLLATE "C", n bigint, first_at timestamptz, last_at timestamptz);
CREATE TEMP TABLE rebuilt_sessions ({KEY}, session_id text COLLATE "C");
CREATE TEMP TABLE rebuilt_claims ({KEY}, session_id text COLLATE "C");
CREATE TEMP TABLE rebuilt (
  {KEY}, total_events bigint, event_breakdown jsonb, first_event_at timestamptz,
  last_event_at timestamptz, sessions bigint)
""",
    drop="DROP TABLE rebuilt_types, rebuilt_sessions, rebuilt_claims, rebuilt",
    collect="""types AS (
  INSERT INTO rebuilt_types
  SELECT game_id, player_id, day, event_type, count(*), min(at), max(at)
    FROM page GROUP BY game_id, player_id, day, event_type
), sessions AS (
  INSERT INTO rebuilt_sessions
  SELECT DISTINCT game_id, player_id, day, session_id FROM page WHERE session_id IS NOT NULL
)""",
    add_up=_add_up("") + "; ANALYZE rebuilt; ANALYZE rebuilt_claims",
    add_touched=f"DELETE FROM rebuilt {OF_TOUCHED};" + _add_up(OF_TOUCHED),
    switch=(_TOTALS, _DAYS, _SESSIONS, _GAMES),
)
