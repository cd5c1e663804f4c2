"""The SQL that makes one number of many, wherever it is done: in a chunk, a build, a row.

A reading is the number that an event gives an aggregate. An event that gives none (absent, null,
text, too many digits) is skipped: counted + skipped are all events of the aggregate's types.
Rows of readings and of aggregates look alike, so merging them is one thing: operator, value
(NULL: only skipped so far), last_at and last_event_id (of the value, for `last` alone), counted,
skipped.
"""

from __future__ import annotations

from typing import Final

from apps.stats.aggregates import MAX_DIGITS

COLUMNS: Final = "operator, value, last_at, last_event_id, counted, skipped"


def readings(event_id: str, at: str, data: str) -> tuple[str, str]:
    """SQL: a reading's columns but for the operator, and what joins it.

    For a definition `d` and an event's columns; `data` is jsonb. PostgreSQL's `#>` is an RFC 6901
    pointer but where it counts an array from its end, or takes +1 or 01 for an index.
    """
    # OFFSET 0: else the planner writes each out wherever it is used, a hundred times in all.
    joined = f"""
    CROSS JOIN LATERAL (SELECT CASE WHEN NOT EXISTS (
           SELECT 1 FROM unnest(d.guarded) AS guard(way)
            WHERE jsonb_typeof({data} #> d.path[:guard.way]) = 'array')
         THEN {data} #> d.path END AS json OFFSET 0) AS found
    CROSS JOIN LATERAL (SELECT CASE jsonb_typeof(found.json) WHEN 'number'
         THEN found.json::numeric END AS given OFFSET 0) AS n
    CROSS JOIN LATERAL (SELECT CASE WHEN abs(n.given) < 1e{MAX_DIGITS}
          AND scale(n.given) <= {MAX_DIGITS} THEN trim_scale(n.given) END AS number
        OFFSET 0) AS reading"""
    columns = f"""reading.number AS value,
         CASE WHEN d.operator = 'last' AND reading.number IS NOT NULL THEN {at} END AS last_at,
         CASE WHEN d.operator = 'last' AND reading.number IS NOT NULL THEN {event_id} END
           AS last_event_id,
         (reading.number IS NOT NULL)::int AS counted, (reading.number IS NULL)::int AS skipped"""
    return columns, joined


# Of a group of rows of one operator, which is grouped by as well.
MERGED: Final = """operator,
         CASE operator WHEN 'sum' THEN sum(value) WHEN 'min' THEN min(value)
              WHEN 'max' THEN max(value) ELSE (
                array_agg(value ORDER BY last_at DESC, last_event_id DESC)
                  FILTER (WHERE last_at IS NOT NULL))[1] END AS value,
         max(last_at) AS last_at,
         (array_agg(last_event_id ORDER BY last_at DESC, last_event_id DESC)
           FILTER (WHERE last_at IS NOT NULL))[1] AS last_event_id,
         sum(counted)::bigint AS counted, sum(skipped)::bigint AS skipped"""

_LATER: Final = """coalesce((EXCLUDED.last_at, EXCLUDED.last_event_id)
                            > (a.last_at, a.last_event_id), a.last_at IS NULL)"""
# A stored row `a` and a new one. Both have the operator of the definition in force.
_MERGED_INTO: Final = f"""
         value = CASE a.operator
           WHEN 'sum' THEN coalesce(a.value + EXCLUDED.value, a.value, EXCLUDED.value)
           WHEN 'min' THEN least(a.value, EXCLUDED.value)
           WHEN 'max' THEN greatest(a.value, EXCLUDED.value)
           ELSE CASE WHEN {_LATER} THEN EXCLUDED.value ELSE a.value END END,
         last_at = CASE WHEN {_LATER} THEN EXCLUDED.last_at ELSE a.last_at END,
         last_event_id = CASE WHEN {_LATER} THEN EXCLUDED.last_event_id
                              ELSE a.last_event_id END,
         counted = a.counted + EXCLUDED.counted, skipped = a.skipped + EXCLUDED.skipped,
         updated_at = now()"""
_READING, _JOINED = readings("f.event_id", 'f."timestamp"', "r.data")
# CTEs of the fold: what the `fresh` records of the players in `totals` add. Where nothing is
# declared, no record is looked at a second time.
FOLD: Final = f"""wanted AS MATERIALIZED (
  SELECT d.game_id, d.name, d.operator, d.event_types, d.path, d.guarded
    FROM stat_definitions AS d
   WHERE d.current AND d.game_id IN (SELECT game_id FROM totals)
), readings AS (
  SELECT f.game_id, f.player_id, d.name, f.day, d.operator, {_READING}
    FROM wanted AS d
    JOIN fresh AS f ON f.game_id = d.game_id AND f.event_type = ANY (d.event_types)
    JOIN ROWS FROM (json_to_recordset(
           CASE WHEN EXISTS (SELECT 1 FROM wanted) THEN %(records)s ELSE '[]' END)
           AS (data jsonb)) WITH ORDINALITY AS r(data, place) ON r.place = f.place{_JOINED}
), aggregated AS (
  INSERT INTO player_aggregates AS a (game_id, player_id, name, day, {COLUMNS})
  SELECT game_id, player_id, name, spread.day, {MERGED}
    FROM readings, LATERAL (VALUES (readings.day), ('-infinity')) AS spread(day)
   GROUP BY game_id, player_id, name, spread.day, operator
   ORDER BY game_id COLLATE "C", player_id COLLATE "C", name COLLATE "C", spread.day
      ON CONFLICT (game_id, player_id, name, day) DO UPDATE SET {_MERGED_INTO}
)"""


def shown(row: str, day: str) -> str:
    """SQL: a player's aggregates as jsonb, beside their statistics.

    `row` has game_id and player_id. `{"<name>": {"value": "<decimal>" or null, "counted": n,
    "skipped": n}}`; the value is text, for a float would lose digits.
    """
    return f"""coalesce((
  SELECT jsonb_object_agg(a.name, jsonb_build_object('value', trim_scale(a.value)::text,
                                                     'counted', a.counted, 'skipped', a.skipped))
    FROM player_aggregates AS a
   WHERE a.game_id = {row}.game_id AND a.player_id = {row}.player_id AND a.day = {day}), '{{}}')"""
