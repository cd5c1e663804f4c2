"""The SQL by which the stats consumer applies a chunk."""

from __future__ import annotations

from typing import Final

from apps.database import by_key
from apps.database.prepared import Prepared
from apps.ledger import versions
from apps.ledger.builds import ALIVE
from apps.stats import aggregate_sql
from apps.stats.locks import BUILD, STATISTICS

# Rows of a game and day among which writers spread: on a single one, every chunk of the game would
# wait for the commit of the one before.
SHARDS: Final = 16

# SQL: a breakdown with what another adds to it.
_ADDED: Final = """s.event_breakdown || (
         SELECT jsonb_object_agg(d.key, coalesce((s.event_breakdown->>d.key)::bigint, 0)
                                        + d.value::bigint)
           FROM jsonb_each_text({new}.event_breakdown) AS d)"""
# The same where it adds one type alone, as most do; a third of the time.
_ONE_ADDED: Final = """jsonb_set(s.event_breakdown, ARRAY[{new}.event_type], to_jsonb(
         coalesce((s.event_breakdown->>{new}.event_type)::bigint, 0) + {new}.total_events))"""
# SQL: what a row `s` becomes of `new`, and then of what an INSERT offered that met a row after all.
_FOLDED: Final = """
         total_events = s.total_events + {new}.total_events,
         first_event_at = least(s.first_event_at, {new}.first_event_at),
         last_event_at = greatest(s.last_event_at, {new}.last_event_at),
         sessions = s.sessions + {new}.sessions,
         updated_at = now()"""
_UPDATED: Final = f"""{_FOLDED.format(new="t")},
         event_breakdown = CASE WHEN t.types = 1 THEN {_ONE_ADDED.format(new="t")}
                           ELSE {_ADDED.format(new="t")} END"""
_MET: Final = f"""{_FOLDED.format(new="EXCLUDED")},
         event_breakdown = {_ADDED.format(new="EXCLUDED")}"""
# SQL: of rows by type, a total; event_type is the one where there is but one.
_TOTAL: Final = """sum(n)::bigint AS total_events,
           jsonb_object_agg(event_type, n) AS event_breakdown,
           min(first_at) AS first_event_at, max(last_at) AS last_event_at,
           count(*) AS types, min(event_type) AS event_type"""
_COLUMNS: Final = "total_events, event_breakdown, first_event_at, last_event_at, types, event_type"
_FOUND: Final = by_key.found("s", "t", "player_id", "game_id")
_FOUND_DAY: Final = by_key.found("s", "t", "player_id", "day", within="game_id")
_VALUES: Final = "total_events, event_breakdown, first_event_at, last_event_at, sessions"

# One statement a chunk: claim, fold to one delta a player (and day), and add it in key order. Equal
# ids inside the chunk are reduced first: the claim returns an id once, the join would count it
# twice. Most deltas meet a row, and an UPDATE is cheaper than an INSERT that meets it
# (docs/decisions/0054); what no UPDATE found is inserted, and meets what came, or finds what went,
# since the statement's snapshot.
# A session is claimed like an event: once a day, and whoever claims a day claims all time as well
# (day -infinity), where it may be known from another day. A player is active anew where the row's
# count is what this chunk adds: it had none before. Claims are noted for a build that is open and
# whose builder lives; without one that costs a look into an empty index. Definitions of aggregates
# are read here, under the lock, so none appears or changes between a claim and its commit.
# `of_player < 2`, not `= 1`: the planner takes that for one row, and has what is inserted compared
# with all totals, pair by pair.
FOLD: Final = Prepared(
    "fold_statistics",
    {"records": "json"},
    f"""
WITH records AS MATERIALIZED (
  SELECT DISTINCT ON (r.event_id) r.*, (r."timestamp" AT TIME ZONE 'UTC')::date AS day
    FROM ROWS FROM (json_to_recordset(%(records)s) AS (
         "offset" bigint, event_id uuid, event_type text, player_id text, game_id text,
         "timestamp" timestamptz, session_id text)) WITH ORDINALITY AS r(
         "offset", event_id, event_type, player_id, game_id, "timestamp", session_id, place)
   ORDER BY r.event_id, r."offset"
), claimed AS (
  INSERT INTO stats_applied_events (event_id) SELECT event_id FROM records
      ON CONFLICT (event_id) DO NOTHING RETURNING event_id
), fresh AS MATERIALIZED (
  SELECT records.* FROM records JOIN claimed USING (event_id)
), noted AS (
  INSERT INTO stats_build_events (event_id)
  SELECT f.event_id FROM stats_builds AS b JOIN fresh AS f
      ON b.game_id IS NULL OR b.game_id = f.game_id
   WHERE b.state = 'building' AND {ALIVE.format(lock=BUILD, build="b")}
   ORDER BY f.event_id
      ON CONFLICT DO NOTHING
), day_sessions AS (
  INSERT INTO player_sessions (game_id, player_id, session_id, day)
  SELECT DISTINCT game_id COLLATE "C", player_id COLLATE "C", session_id COLLATE "C", day
    FROM fresh WHERE session_id IS NOT NULL ORDER BY 1, 2, 3, 4
      ON CONFLICT DO NOTHING RETURNING game_id, player_id, session_id, day
), all_sessions AS (
  INSERT INTO player_sessions (game_id, player_id, session_id, day)
  SELECT DISTINCT game_id, player_id, session_id, date '-infinity'
    FROM day_sessions ORDER BY 1, 2, 3
      ON CONFLICT DO NOTHING RETURNING game_id, player_id
), by_type AS MATERIALIZED (
  SELECT game_id, player_id, day, event_type, count(*) AS n, min("timestamp") AS first_at,
         max("timestamp") AS last_at
    FROM fresh GROUP BY game_id, player_id, day, event_type
), days AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY game_id COLLATE "C", player_id COLLATE "C", day) AS place,
         count(*) OVER (PARTITION BY game_id COLLATE "C", player_id COLLATE "C") AS of_player,
         t.*, coalesce(s.n, 0) AS sessions
    FROM (SELECT game_id, player_id, day, {_TOTAL}
            FROM by_type GROUP BY game_id, player_id, day) AS t
    LEFT JOIN (SELECT game_id, player_id, day, count(*) AS n FROM day_sessions
                GROUP BY game_id, player_id, day) AS s USING (game_id, player_id, day)
), totals AS MATERIALIZED (
  SELECT t.*, coalesce(s.n, 0) AS sessions, {versions.FRESH} AS version
    FROM (SELECT place, game_id, player_id, {_COLUMNS} FROM days WHERE of_player < 2
           UNION ALL
          SELECT place, game_id, player_id, {_TOTAL}
            FROM (SELECT m.place, game_id, player_id, event_type, sum(n)::bigint AS n,
                         min(first_at) AS first_at, max(last_at) AS last_at
                    FROM by_type
                    JOIN (SELECT min(place) AS place, game_id, player_id FROM days
                           WHERE of_player > 1 GROUP BY game_id, player_id) AS m
                   USING (game_id, player_id)
                   GROUP BY m.place, game_id, player_id, event_type) AS types
           GROUP BY place, game_id, player_id) AS t
    LEFT JOIN (SELECT game_id, player_id, count(*) AS n FROM all_sessions
                GROUP BY game_id, player_id) AS s USING (game_id, player_id)
   ORDER BY place
), updated AS (
  UPDATE player_statistics AS s SET {_UPDATED}, version = {versions.next_of("s", "t")}
    FROM totals AS t WHERE {_FOUND}
  RETURNING t.place, t.total_events AS added, s.game_id, s.total_events
), inserted AS (
  INSERT INTO player_statistics AS s (player_id, game_id, {_VALUES}, version)
  SELECT player_id, game_id, {_VALUES}, version FROM totals
   WHERE place NOT IN (SELECT place FROM updated) ORDER BY place
      ON CONFLICT (player_id, game_id) DO UPDATE SET {_MET}, version = {versions.next_of("s")}
  RETURNING s.game_id, s.player_id, s.total_events
), stored AS (
  SELECT added, game_id, total_events FROM updated
   UNION ALL
  SELECT t.total_events, game_id, s.total_events
    FROM inserted AS s JOIN totals AS t USING (game_id, player_id)
), updated_days AS (
  UPDATE player_statistics_daily AS s SET {_UPDATED}
    FROM days AS t WHERE {_FOUND_DAY}
  RETURNING t.place, t.total_events AS added, s.game_id, s.day, s.total_events
), inserted_days AS (
  INSERT INTO player_statistics_daily AS s (game_id, player_id, day, {_VALUES})
  SELECT game_id, player_id, day, {_VALUES} FROM days
   WHERE place NOT IN (SELECT place FROM updated_days) ORDER BY place
      ON CONFLICT (game_id, player_id, day) DO UPDATE SET {_MET}
  RETURNING s.game_id, s.player_id, s.day, s.total_events
), stored_days AS (
  SELECT added, game_id, day, total_events FROM updated_days
   UNION ALL
  SELECT t.total_events, game_id, day, s.total_events
    FROM inserted_days AS s JOIN days AS t USING (game_id, player_id, day)
), stored_game_days AS (
  INSERT INTO game_statistics_daily AS s (game_id, day, shard, total_events, active_players)
  SELECT game_id, day, pg_backend_pid() % {SHARDS}, sum(added),
         count(*) FILTER (WHERE total_events = added)
    FROM stored_days GROUP BY game_id, day ORDER BY game_id COLLATE "C", day
      ON CONFLICT (game_id, day, shard) DO UPDATE SET
         total_events = s.total_events + EXCLUDED.total_events,
         active_players = s.active_players + EXCLUDED.active_players
), stored_games AS (
  INSERT INTO game_statistics AS s (game_id, shard, total_events, players)
  SELECT game_id, pg_backend_pid() % {SHARDS}, sum(added),
         count(*) FILTER (WHERE total_events = added)
    FROM stored GROUP BY game_id ORDER BY game_id COLLATE "C"
      ON CONFLICT (game_id, shard) DO UPDATE SET
         total_events = s.total_events + EXCLUDED.total_events,
         players = s.players + EXCLUDED.players
), {aggregate_sql.FOLD}
SELECT count(*) FROM claimed
""",
    before=f"SELECT {by_key.INDEXED}, pg_advisory_xact_lock_shared({STATISTICS})",
)
