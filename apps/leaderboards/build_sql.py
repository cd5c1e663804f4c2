"""The SQL of a build: what boards come to, in tables of the builder's own session.

`built_scopes` and `built_deltas` take what each page of the log adds, `built` what it adds up to.
"""

from __future__ import annotations

from typing import Final

from apps.contract.queues import Consumer
from apps.ledger import given, versions

TABLES: Final = """
DROP TABLE IF EXISTS built_scopes, built_deltas, built_touched, built_noted, built_unclaimed,
                     built, built_changes;
CREATE TEMP TABLE built_scopes (
  part int, game_id text COLLATE "C", board text COLLATE "C", period text COLLATE "C",
  period_start timestamptz, operator text, descending boolean);
CREATE TEMP TABLE built_deltas (
  part int, player_id text COLLATE "C", score numeric, achieved_at timestamptz, moved boolean,
  event_id uuid);
CREATE TEMP TABLE built_touched (player_id text COLLATE "C");
CREATE TEMP TABLE built_noted (event_id uuid);
CREATE TEMP TABLE built_unclaimed (event_id uuid);
CREATE TEMP TABLE built (
  game_id text COLLATE "C", board text COLLATE "C", period text COLLATE "C",
  period_start timestamptz, player_id text COLLATE "C", score numeric, rank_key numeric,
  achieved_at timestamptz, moved boolean, event_id uuid);
CREATE TEMP TABLE built_changes (
  game_id text COLLATE "C", board text COLLATE "C", period text COLLATE "C",
  period_start timestamptz, player_id text COLLATE "C", gone boolean)
"""
# All but the changes, of which Redis is told after the switch.
DROP: Final = """
DROP TABLE IF EXISTS built_scopes, built_deltas, built_touched, built_noted, built_unclaimed, built
"""
# Whole tables are compared with each other: row by row through an index would take minutes, which
# is what PostgreSQL chooses where it has not counted a table yet.
SET_BASED: Final = "SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '128MB'"
# The log is read to its end, so that its first rows come soon is worth nothing.
READ_ALL: Final = "SET LOCAL cursor_tuple_fraction = 1; SET LOCAL work_mem = '128MB'"

_GAME: Final = """(%(game_id)s::text IS NULL OR {row}.game_id = %(game_id)s)
   AND (%(types)s::text[] IS NULL OR {row}.event_type = ANY(%(types)s::text[]))"""
_IS_NOTED: Final = "{row}.event_id IN (SELECT event_id FROM built_noted)"
_COLUMNS: Final = "game_id, player_id, event_type, at, data::text, event_id::text"


def _given(wanted: str) -> str:
    return f"""{given.edits(Consumer.LEADERBOARDS)}
SELECT {_COLUMNS} FROM ({given.in_log(Consumer.LEADERBOARDS, wanted.format(row="e"))}
UNION ALL
{given.in_letters(Consumer.LEADERBOARDS, wanted)}) AS given"""


# Rows as `build_folding` takes them. Parameters game_id and types; NULL: all.
READ_LOG: Final = _given(_GAME)
READ_NOTED: Final = _given(_IS_NOTED)
ABOUT: Final = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'events'::regclass"

# Events of types that no board has counted: nobody has claimed those that were passed over.
FIND_UNCLAIMED: Final = """
INSERT INTO built_unclaimed
SELECT e.event_id FROM events AS e
 WHERE e.game_id = %(game_id)s AND e.event_type = ANY(%(types)s)
   AND NOT EXISTS (SELECT 1 FROM leaderboards_applied_events AS l WHERE l.event_id = e.event_id)
"""
NEXT_UNCLAIMED: Final = """
DELETE FROM built_unclaimed
 WHERE ctid = ANY(ARRAY(SELECT ctid FROM built_unclaimed LIMIT %(limit)s))
RETURNING event_id::text
"""
# Claims that consumers noted since the build was opened.
TAKE_NOTES: Final = """
TRUNCATE built_noted;
INSERT INTO built_noted SELECT event_id FROM board_build_events LIMIT %(limit)s
"""
NOTE: Final = "TRUNCATE built_noted; INSERT INTO built_noted SELECT unnest(%(ids)s::uuid[])"
TOLD: Final = "DELETE FROM board_build_events WHERE event_id = ANY(%(ids)s::uuid[])"

ADD: Final = """
INSERT INTO built_scopes
SELECT * FROM json_to_recordset(%(scopes)s::json) AS s(
       part int, game_id text, board text, period text, period_start timestamptz, operator text,
       descending boolean);
INSERT INTO built_deltas
SELECT * FROM json_to_recordset(%(deltas)s::json) AS d(
       part int, player_id text, score numeric, achieved_at timestamptz, moved boolean,
       event_id uuid)
"""
TOUCH: Final = "INSERT INTO built_touched SELECT unnest(%(players)s::text[])"

# What is added up before the switch is added up again for those alone who were touched since.
_OF_TOUCHED: Final = " WHERE player_id IN (SELECT player_id FROM built_touched)"
_ENTRY: Final = "game_id, board, period, period_start, player_id"
_STANDING: Final = "score, rank_key, achieved_at, moved, event_id"


def _add_up(whose: str) -> str:
    """As `rules.merge` says of two standings."""
    return f"""
INSERT INTO built
WITH placed AS MATERIALIZED (
  SELECT s.game_id, s.board, s.period, s.period_start, d.player_id, d.score,
         CASE WHEN s.descending THEN -d.score ELSE d.score END AS rank_key, d.achieved_at, d.moved,
         d.event_id, s.operator
    FROM (SELECT * FROM built_deltas {whose}) AS d JOIN built_scopes AS s ON s.part = d.part
)
SELECT {_ENTRY}, sum(score), sum(rank_key),
       coalesce(max(achieved_at) FILTER (WHERE moved), min(achieved_at)), bool_or(moved), NULL
  FROM placed WHERE operator IN ('sum', 'count') GROUP BY {_ENTRY}
UNION ALL
SELECT * FROM (
  SELECT DISTINCT ON ({_ENTRY}) {_ENTRY}, {_STANDING}
    FROM placed WHERE operator IN ('best', 'min', 'max')
   ORDER BY {_ENTRY},
            CASE operator WHEN 'best' THEN rank_key WHEN 'min' THEN score ELSE -score END,
            achieved_at) AS single
UNION ALL
SELECT * FROM (
  SELECT DISTINCT ON ({_ENTRY}) {_ENTRY}, {_STANDING}
    FROM placed WHERE operator = 'latest'
   ORDER BY {_ENTRY}, achieved_at DESC, event_id DESC) AS latest;
TRUNCATE built_touched;
"""


ADD_UP: Final = f"""{_add_up("")}
CREATE INDEX ON built (game_id, board); ANALYZE built"""
ADD_TOUCHED: Final = f"DELETE FROM built {_OF_TOUCHED};" + _add_up(_OF_TOUCHED)

_OF_BOARD: Final = "{row}.game_id = %(game_id)s AND {row}.board = %(board)s"
_SAME: Final = """p.player_id = r.player_id AND p.game_id = r.game_id AND p.board = r.board
                AND p.period = r.period AND p.period_start = r.period_start"""
_ROW: Final = ", ".join(f"{{row}}.{name}" for name in _STANDING.split(", "))
_SET: Final = ", ".join(f"{name} = EXCLUDED.{name}" for name in _STANDING.split(", "))
# A row that is right already stays, with its version. Parameters game_id, board and stones: whether
# orders of these entries go on, so that no late write must bring back what is gone.
SWITCH: Final = f"""
WITH gone AS (
  DELETE FROM leaderboards AS p WHERE {_OF_BOARD.format(row="p")} AND NOT EXISTS (
         SELECT 1 FROM built AS r WHERE {_OF_BOARD.format(row="r")} AND {_SAME})
  RETURNING {_ENTRY}, version
), written AS (
  INSERT INTO leaderboards AS l ({_ENTRY}, {_STANDING}, version)
  SELECT r.game_id, r.board, r.period, r.period_start, r.player_id, {_ROW.format(row="r")},
         {versions.FRESH}
    FROM (SELECT * FROM built AS r WHERE {_OF_BOARD.format(row="r")}) AS r
    LEFT JOIN (SELECT * FROM leaderboards AS p WHERE {_OF_BOARD.format(row="p")}) AS p ON {_SAME}
   WHERE ({_ROW.format(row="r")}) IS DISTINCT FROM ({_ROW.format(row="p")})
   ORDER BY r.player_id, r.game_id, r.board, r.period, r.period_start
      ON CONFLICT (player_id, game_id, board, period, period_start) DO UPDATE SET {_SET},
         version = {versions.next_of("l")}, updated_at = now()
  RETURNING {_ENTRY}
), stones AS (
  INSERT INTO board_tombstones AS t ({_ENTRY}, version)
  SELECT {_ENTRY}, version FROM gone WHERE %(stones)s
      ON CONFLICT (game_id, board, period, period_start, player_id)
      DO UPDATE SET version = greatest(t.version, EXCLUDED.version)
), told AS (
  INSERT INTO built_changes
  SELECT {_ENTRY}, true FROM gone UNION ALL SELECT {_ENTRY}, false FROM written
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM written)
"""
# What comes again is newer than what is gone, whatever the clock says.
NEWER: Final = """
UPDATE leaderboards AS l SET version = t.version + 1 FROM board_tombstones AS t
 WHERE t.game_id = %(game_id)s AND t.board = %(board)s
   AND (t.game_id, t.board, t.period, t.period_start, t.player_id)
     = (l.game_id, l.board, l.period, l.period_start, l.player_id)
   AND l.version <= t.version
"""
# Of players who were recounted after that, by `recompute`.
RECOUNTED: Final = """
INSERT INTO built_changes (game_id, board, period, period_start, player_id, gone)
SELECT game_id, board, period, period_start, player_id, false FROM leaderboards
 WHERE game_id = %(game_id)s AND board = %(board)s AND player_id = ANY(%(players)s)
UNION ALL
SELECT game_id, board, period, period_start, player_id, true FROM board_tombstones
 WHERE game_id = %(game_id)s AND board = %(board)s AND player_id = ANY(%(players)s)
"""
CHANGED: Final = """
SELECT DISTINCT l.game_id, l.board, l.period, l.period_start, l.player_id, l.rank_key,
       l.achieved_at, l.version
  FROM built_changes AS c JOIN leaderboards AS l
 USING (player_id, game_id, board, period, period_start)
 WHERE NOT c.gone
"""
LOST: Final = "SELECT DISTINCT game_id, board, period, period_start FROM built_changes WHERE gone"
# The games that have entries or events, by skipping from one to the next in an index.
GAMES: Final = """
WITH RECURSIVE of_entries(game_id) AS (
  (SELECT min(game_id) FROM leaderboards)
  UNION ALL
  SELECT (SELECT min(l.game_id) FROM leaderboards AS l WHERE l.game_id > g.game_id)
    FROM of_entries AS g WHERE g.game_id IS NOT NULL
), of_events(game_id) AS (
  (SELECT min(game_id) FROM events)
  UNION ALL
  SELECT (SELECT min(e.game_id) FROM events AS e WHERE e.game_id > g.game_id)
    FROM of_events AS g WHERE g.game_id IS NOT NULL
)
SELECT game_id FROM of_entries WHERE game_id IS NOT NULL
UNION SELECT game_id FROM of_events WHERE game_id IS NOT NULL
UNION SELECT game_id FROM boards
"""
