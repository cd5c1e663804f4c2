"""leaderboards, with what the log adds up to on every board, in every period."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.leaderboards import locks, rank_index, selectors
from apps.leaderboards.periods import Period
from apps.leaderboards.rank_index import BoardPeriod, Place, places_of
from apps.ledger.versions import FRESH
from apps.reconcile import scores
from apps.reconcile import selectors as reading
from apps.reconcile.findings import Kind, Part
from apps.reconcile.projections import Changes, Difference

# From single scores at once; the consumer merges pairs of standings.
_EXPECTED: Final = """
WITH placed AS (
  SELECT s.board, p.period, p.period_start, s.player_id, s.score, s.at, s.event_id, s.operator,
         CASE WHEN s.descending THEN -s.score ELSE s.score END AS rank_key
    FROM reconcile_scores AS s CROSS JOIN LATERAL (VALUES
         ('alltime', s.alltime), ('daily', s.daily), ('weekly', s.weekly), ('monthly', s.monthly),
         ('season', s.season)
         ) AS p(period, period_start)
   WHERE p.period_start IS NOT NULL
), expected AS (
  SELECT board, period, period_start, player_id, sum(score) AS score, sum(rank_key) AS rank_key,
         coalesce(max(at) FILTER (WHERE score <> 0), min(at)) AS achieved_at,
         bool_or(score <> 0) AS moved, NULL::uuid AS event_id
    FROM placed WHERE operator IN ('sum', 'count')
   GROUP BY board, period, period_start, player_id
  UNION ALL
  SELECT * FROM (
    SELECT DISTINCT ON (board, period, period_start, player_id)
           board, period, period_start, player_id, score, rank_key, at, score <> 0, NULL::uuid
      FROM placed WHERE operator IN ('best', 'min', 'max')
     ORDER BY board, period, period_start, player_id,
              CASE operator WHEN 'best' THEN rank_key WHEN 'min' THEN score ELSE -score END,
              at) AS single
  UNION ALL
  SELECT * FROM (
    SELECT DISTINCT ON (board, period, period_start, player_id)
           board, period, period_start, player_id, score, rank_key, at, score <> 0, event_id
      FROM placed WHERE operator = 'latest'
     ORDER BY board, period, period_start, player_id, at DESC, event_id DESC) AS latest
)
"""
_HELD: Final = """
SELECT * FROM leaderboards AS h WHERE h.game_id = %(game_id)s
   AND (%(players)s::text[] IS NULL OR h.player_id = ANY(%(players)s::text[]))
"""
_JOINED: Final = """
       ON l.board = x.board AND l.period = x.period AND l.period_start = x.period_start
      AND l.player_id = x.player_id
"""
_DIFFERING: Final = f"""{_EXPECTED}
SELECT coalesce(x.board, l.board), coalesce(x.period, l.period),
       coalesce(x.period_start, l.period_start), coalesce(x.player_id, l.player_id),
       x.score, x.rank_key, x.achieved_at, x.moved, x.event_id,
       l.score, l.rank_key, l.achieved_at, l.moved, l.event_id
  FROM expected AS x FULL JOIN ({_HELD}) AS l {_JOINED}
 WHERE (x.score, x.rank_key, x.achieved_at, x.moved, x.event_id)
       IS DISTINCT FROM (l.score, l.rank_key, l.achieved_at, l.moved, l.event_id)
 ORDER BY 1, 2, 3, 4
"""
_REBUILD: Final = f"""{_EXPECTED}
INSERT INTO leaderboards AS l (game_id, board, period, period_start, player_id, score, rank_key,
                               achieved_at, moved, event_id, version)
SELECT %(game_id)s, x.board, x.period, x.period_start, x.player_id, x.score, x.rank_key,
       x.achieved_at, x.moved, x.event_id, {FRESH}
  FROM expected AS x ORDER BY x.board, x.period, x.period_start, x.player_id
    ON CONFLICT (game_id, board, period, period_start, player_id) DO UPDATE SET
       score = EXCLUDED.score, rank_key = EXCLUDED.rank_key, achieved_at = EXCLUDED.achieved_at,
       moved = EXCLUDED.moved, event_id = EXCLUDED.event_id,
       version = greatest(l.version + 1, EXCLUDED.version), updated_at = now()
 WHERE (l.score, l.rank_key, l.achieved_at, l.moved, l.event_id) IS DISTINCT FROM
       (EXCLUDED.score, EXCLUDED.rank_key, EXCLUDED.achieved_at, EXCLUDED.moved, EXCLUDED.event_id)
RETURNING l.game_id, l.board, l.period, l.period_start, l.player_id, l.rank_key, l.achieved_at,
          l.version
"""
_REMOVE: Final = f"""{_EXPECTED}
DELETE FROM leaderboards AS d USING ({_HELD}) AS l LEFT JOIN expected AS x {_JOINED}
 WHERE d.id = l.id AND x.player_id IS NULL
RETURNING d.board, d.period, d.period_start
"""


class BoardsProjection:
    """What the leaderboards consumer merges."""

    part = Part.BOARDS
    kind = Kind.ENTRY_DIFFERS
    consumer = Consumer.LEADERBOARDS
    remedy = "recompute the player's entries from the log"

    def games(self) -> list[str]:
        return reading.games("events", "leaderboards")

    def hold_still(self) -> None:
        locks.hold_scores_still()

    def differing(self, game_id: str, players: list[str] | None) -> list[Difference]:
        _collect(game_id, players)
        with connection.cursor() as cursor:
            cursor.execute(_DIFFERING, {"game_id": game_id, "players": players})
            return [
                Difference(
                    player_id=row[3],
                    where=f"{game_id}/{row[0]} {row[1]} {row[2]:%FT%TZ} {row[3]}",
                    expected=_told(row[4:9]),
                    found=_told(row[9:14]),
                )
                for row in cursor.fetchall()
            ]

    def rebuild(self, game_id: str, players: list[str]) -> Changes:
        _collect(game_id, players)
        parameters: dict[str, str | list[str]] = {"game_id": game_id, "players": players}
        with connection.cursor() as cursor:
            cursor.execute(_REBUILD, parameters)
            generations = selectors.generations([game_id])
            changes: Changes = list(places_of(cursor.fetchall(), generations))
            cursor.execute(_REMOVE, parameters)
            return changes + [
                BoardPeriod(
                    game_id=game_id,
                    board=row[0],
                    period=Period(row[1]),
                    period_start=row[2].astimezone(UTC),
                    generation=generations.get((game_id, row[0]), 0),
                )
                for row in cursor.fetchall()
            ]

    def refresh(self, changes: Changes) -> None:
        """New versions are put; a period that lost an entry is built anew."""
        rank_index.put(change for change in changes if isinstance(change, Place))
        for scope in {change for change in changes if isinstance(change, BoardPeriod)}:
            rank_index.mark_incomplete(scope)


def _collect(game_id: str, players: list[str] | None) -> None:
    scores.collect(selectors.definitions([game_id])[game_id], game_id, players)


def _told(row: tuple[Any, ...]) -> str:
    score, rank_key, achieved_at, moved, event_id = row
    if score is None:
        return "no entry"
    still = "" if moved else ", only zeros"
    odd = "" if abs(rank_key) == abs(score) else f", rank key {rank_key}"
    of = "" if event_id is None else f" of {event_id}"
    return f"{score} at {achieved_at:%FT%TZ}{still}{odd}{of}"
