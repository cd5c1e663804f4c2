"""The SQL of the leaderboards' set-based writes.

Every statement sorts by key, so that two transactions cannot deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from apps.leaderboards.rules import Operator
from apps.ledger import versions

CLAIM: Final = """
INSERT INTO leaderboards_applied_events (event_id)
SELECT unnest(%s::uuid[]) ON CONFLICT (event_id) DO NOTHING RETURNING event_id::text
"""
RELEASE: Final = "DELETE FROM leaderboards_applied_events WHERE event_id = ANY(%s::uuid[])"

_INSERT: Final = f"""
INSERT INTO leaderboards AS l (game_id, board, period, period_start, player_id, score, rank_key,
                               achieved_at, moved, version)
SELECT r.game_id, r.board, r.period, r.period_start, r.player_id, r.score, r.rank_key,
       r.achieved_at, r.moved, {versions.FRESH}
  FROM json_to_recordset(%s::json) AS r(
       game_id text, board text, period text, period_start timestamptz, player_id text,
       score numeric, rank_key numeric, achieved_at timestamptz, moved boolean)
 ORDER BY r.game_id, r.board, r.period, r.period_start, r.player_id
    ON CONFLICT (game_id, board, period, period_start, player_id) DO UPDATE SET
"""
_RETURNING: Final = """
RETURNING l.game_id, l.board, l.period, l.period_start, l.player_id, l.rank_key, l.achieved_at,
          l.version
"""
# The same attempt gives score, time and `moved`: never the best of each.
_BEST: Final = f"""
       score = EXCLUDED.score, rank_key = EXCLUDED.rank_key, achieved_at = EXCLUDED.achieved_at,
       moved = EXCLUDED.moved, version = {versions.next_of("l")}, updated_at = now()
 WHERE (EXCLUDED.rank_key, EXCLUDED.achieved_at) < (l.rank_key, l.achieved_at)
"""
_SUM: Final = f"""
       score = l.score + EXCLUDED.score, rank_key = l.rank_key + EXCLUDED.rank_key,
       achieved_at = CASE
         WHEN l.moved AND EXCLUDED.moved THEN greatest(l.achieved_at, EXCLUDED.achieved_at)
         WHEN l.moved THEN l.achieved_at
         WHEN EXCLUDED.moved THEN EXCLUDED.achieved_at
         ELSE least(l.achieved_at, EXCLUDED.achieved_at) END,
       moved = l.moved OR EXCLUDED.moved, version = {versions.next_of("l")}, updated_at = now()
 WHERE EXCLUDED.moved OR (NOT l.moved AND EXCLUDED.achieved_at < l.achieved_at)
"""
MERGE: Final = {
    Operator.BEST: _INSERT + _BEST + _RETURNING,
    Operator.SUM: _INSERT + _SUM + _RETURNING,
}

_encoder = msgspec.json.Encoder(decimal_format="string")


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as one parameter; decimals travel as strings and lose no digit."""
    return _encoder.encode(rows).decode()
