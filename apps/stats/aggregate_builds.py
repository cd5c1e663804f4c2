"""Aggregates in a build: the SQL that adds up readings from the log and writes what differs.

`rebuilt_definitions` are those that the build obeys: the current ones, or one that is to be. Nobody
changes a definition meanwhile, for whoever does is a builder too. `rebuilt_readings` takes what
each page adds, `rebuilt_aggregates` is what they add up to.
"""

from __future__ import annotations

from typing import Final

from apps.ledger import versions
from apps.stats.aggregate_sql import COLUMNS, MERGED, readings
from apps.stats.aggregates import Definition
from apps.stats.build_sql import GAME, KEY, OF_TOUCHED, Part

_ROW: Final = ", ".join(f"{{row}}.{name}" for name in COLUMNS.split(", "))
_TYPES: Final = """name text COLLATE "C", operator text, value numeric, last_at timestamptz,
  last_event_id uuid, counted bigint, skipped bigint"""
_TABLES: Final = f"""
DROP TABLE IF EXISTS rebuilt_definitions, rebuilt_readings, rebuilt_aggregates;
CREATE TEMP TABLE rebuilt_definitions AS
  SELECT game_id, name, event_types, path, guarded, operator FROM stat_definitions WHERE current;
CREATE TEMP TABLE rebuilt_readings ({KEY}, {_TYPES});
CREATE TEMP TABLE rebuilt_aggregates ({KEY}, {_TYPES})
"""
# Instead of those in force.
ONLY: Final = """
TRUNCATE rebuilt_definitions;
INSERT INTO rebuilt_definitions (game_id, name, event_types, path, guarded, operator)
VALUES (%(game_id)s, %(name)s, %(event_types)s::text[], %(path)s::text[], %(guarded)s::int[],
        %(operator)s)
"""
_READING, _JOINED = readings("p.event_id", "p.at", "p.data")
_COLLECT: Final = f"""read AS (
  SELECT p.game_id, p.player_id, d.name, p.day, d.operator, {_READING}
    FROM rebuilt_definitions AS d
    JOIN page AS p ON p.game_id = d.game_id AND p.event_type = ANY (d.event_types){_JOINED}
), readings AS (
  INSERT INTO rebuilt_readings (game_id, player_id, name, day, {COLUMNS})
  SELECT game_id, player_id, name, day, {MERGED}
    FROM read GROUP BY game_id, player_id, name, day, operator
)"""


def _add_up(whose: str) -> str:
    return f"""
INSERT INTO rebuilt_aggregates (game_id, player_id, name, day, {COLUMNS})
SELECT game_id, player_id, name, d.day, {MERGED}
  FROM (SELECT * FROM rebuilt_readings {whose}) AS r,
       LATERAL (VALUES (r.day), ('-infinity')) AS d(day)
 GROUP BY game_id, player_id, name, d.day, operator
"""


# The players' rows get new versions, since their copies in Redis bear the aggregates.
_WRITE: Final = f"""
WITH gone AS (
  DELETE FROM player_aggregates AS a
   WHERE {GAME.format(row="a")} AND (%(name)s::text IS NULL OR a.name = %(name)s)
     AND NOT EXISTS (
         SELECT 1 FROM rebuilt_aggregates AS r
          WHERE (r.game_id, r.player_id, r.name, r.day) = (a.game_id, a.player_id, a.name, a.day))
  RETURNING a.game_id, a.player_id, a.day
), written AS (
  INSERT INTO player_aggregates AS a (game_id, player_id, name, day, {COLUMNS})
  SELECT r.game_id, r.player_id, r.name, r.day, {_ROW.format(row="r")}
    FROM rebuilt_aggregates AS r LEFT JOIN player_aggregates AS p
         USING (game_id, player_id, name, day)
   WHERE ({_ROW.format(row="r")}) IS DISTINCT FROM ({_ROW.format(row="p")})
   ORDER BY r.game_id, r.player_id, r.name, r.day
      ON CONFLICT (game_id, player_id, name, day) DO UPDATE SET
         ({COLUMNS}) = ({_ROW.format(row="EXCLUDED")}), updated_at = now()
  RETURNING a.game_id, a.player_id, a.day
), seen AS (
  SELECT DISTINCT game_id, player_id
    FROM (SELECT * FROM gone UNION ALL SELECT * FROM written) AS changed
   WHERE NOT isfinite(day) AND (player_id, game_id) NOT IN (
         SELECT player_id, game_id FROM rebuilt_changes)
), raised AS (
  UPDATE player_statistics AS s SET version = greatest(s.version + 1, fresh.version),
         updated_at = now()
    FROM seen, (SELECT {versions.FRESH} AS version) AS fresh
   WHERE s.game_id = seen.game_id AND s.player_id = seen.player_id
  RETURNING s.player_id, s.game_id
)
INSERT INTO rebuilt_changes SELECT player_id, game_id FROM raised
"""
AGGREGATES: Final = Part(
    tables=_TABLES,
    drop="DROP TABLE rebuilt_definitions, rebuilt_readings, rebuilt_aggregates",
    collect=_COLLECT,
    add_up=_add_up("") + "; ANALYZE rebuilt_aggregates",
    add_touched=f"DELETE FROM rebuilt_aggregates {OF_TOUCHED};" + _add_up(OF_TOUCHED),
    switch=(_WRITE,),
)


def only(definition: Definition) -> dict[str, object]:
    """What `ONLY` takes."""
    return {
        "game_id": definition.game_id,
        "name": definition.name,
        "event_types": list(definition.event_types),
        "path": definition.path,
        "guarded": definition.guarded,
        "operator": definition.operator.value,
    }
