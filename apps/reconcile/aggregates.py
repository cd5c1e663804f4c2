"""Declared aggregates of players, with what the log adds up to."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.ledger import given
from apps.ledger.versions import FRESH
from apps.reconcile import selectors
from apps.reconcile.findings import Kind, Part
from apps.reconcile.game_totals import hold_still
from apps.reconcile.projections import Changes, Difference
from apps.reconcile.statistics import refresh_copies
from apps.stats.aggregate_sql import COLUMNS, MERGED, readings

_READING, _JOINED = readings("g.event_id", "g.at", "g.data")
_ROW: Final = ", ".join(f"{{row}}.{name}" for name in COLUMNS.split(", "))
# From single events at once; the consumer merges what chunks come to. The day -infinity is all
# time.
_EXPECTED: Final = f"""
WITH given AS ({given.applied(Consumer.STATS)}),
readings AS (
  SELECT g.player_id, d.name, (g.at AT TIME ZONE 'UTC')::date AS day, d.operator, {_READING}
    FROM stat_definitions AS d JOIN given AS g ON g.event_type = ANY (d.event_types){_JOINED}
   WHERE d.current AND d.game_id = %(game_id)s
), expected AS (
  SELECT player_id, name, spread.day, {MERGED}
    FROM readings, LATERAL (VALUES (readings.day), ('-infinity')) AS spread(day)
   GROUP BY player_id, name, spread.day, operator
), held AS (
  SELECT * FROM player_aggregates AS a WHERE a.game_id = %(game_id)s
     AND (%(players)s::text[] IS NULL OR a.player_id = ANY(%(players)s::text[]))
)
"""
_DIFFERING: Final = f"""{_EXPECTED}
SELECT player_id, name, CASE WHEN isfinite(day) THEN day::text END,
       {_ROW.format(row="x")}, {_ROW.format(row="h")}
  FROM expected AS x FULL JOIN held AS h USING (player_id, name, day)
 WHERE ({_ROW.format(row="x")}) IS DISTINCT FROM ({_ROW.format(row="h")})
 ORDER BY 1, 2, 3 NULLS FIRST
"""
_REBUILD: Final = f"""{_EXPECTED}, gone AS (
  DELETE FROM player_aggregates AS a USING held AS h
   WHERE (a.game_id, a.player_id, a.name, a.day) = (h.game_id, h.player_id, h.name, h.day)
     AND NOT EXISTS (SELECT 1 FROM expected AS x
                      WHERE (x.player_id, x.name, x.day) = (h.player_id, h.name, h.day))
)
INSERT INTO player_aggregates AS a (game_id, player_id, name, day, {COLUMNS})
SELECT %(game_id)s, player_id, name, day, {COLUMNS}
  FROM expected ORDER BY player_id, name, day
    ON CONFLICT (game_id, player_id, name, day) DO UPDATE SET
       ({COLUMNS}) = ({_ROW.format(row="EXCLUDED")}), updated_at = now()
"""
# Their copies in Redis bear the aggregates.
_RAISE: Final = f"""
UPDATE player_statistics AS s SET version = greatest(s.version + 1, fresh.version)
  FROM (SELECT {FRESH} AS version) AS fresh
 WHERE s.game_id = %(game_id)s AND s.player_id = ANY(%(players)s)
"""


class AggregatesProjection:
    """What the stats consumer folds for declared aggregates."""

    part = Part.STATISTICS
    kind = Kind.AGGREGATE_DIFFERS
    consumer = Consumer.STATS
    remedy = "recompute the player's aggregates from the log"

    def games(self) -> list[str]:
        return selectors.games("stat_definitions", "player_aggregates")

    def hold_still(self) -> None:
        hold_still()

    def differing(self, game_id: str, players: list[str] | None) -> list[Difference]:
        with connection.cursor() as cursor:
            cursor.execute(_DIFFERING, _parameters(game_id, players))
            return [
                Difference(
                    player_id=row[0],
                    where="/".join(filter(None, (game_id, row[0], row[1], row[2]))),
                    expected=_told(row[3:9]),
                    found=_told(row[9:15]),
                )
                for row in cursor.fetchall()
            ]

    def rebuild(self, game_id: str, players: list[str]) -> Changes:
        with connection.cursor() as cursor:
            cursor.execute(_REBUILD, _parameters(game_id, players))
            cursor.execute(_RAISE, _parameters(game_id, players))
        return [(player_id, game_id) for player_id in players]

    def refresh(self, changes: Changes) -> None:
        refresh_copies(changes)


def _parameters(game_id: str, players: list[str] | None) -> dict[str, Any]:
    return {"game_id": game_id, "players": players, "types": None}


def _told(row: tuple[Any, ...]) -> str:
    operator, value, last_at, last_event_id, counted, skipped = row
    if operator is None:
        return "no row"
    last = "" if last_at is None else f" of {last_event_id} at {last_at:%FT%TZ}"
    return f"{operator} {value}{last}, {counted:,} counted, {skipped:,} skipped"
