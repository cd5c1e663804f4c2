"""The SQL of the leaderboards' set-based writes.

Every statement sorts by key, so that two transactions cannot deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from apps.database.prepared import Prepared
from apps.leaderboards.locks import BOARDS, BUILD
from apps.leaderboards.rules import Operator
from apps.ledger import versions
from apps.ledger.builds import ALIVE

_CLAIM: Final = """
INSERT INTO leaderboards_applied_events (event_id)
SELECT unnest(%(ids)s) ON CONFLICT (event_id) DO NOTHING RETURNING event_id
"""
# One round trip, two statements: the second sees what was committed while the first waited for its
# lock. The ids come back only where some were claimed before. Claims are noted for a build that is
# open and whose builder lives; without one that costs a look into an empty index.
CLAIM: Final = Prepared(
    "claim_scores",
    {"ids": "uuid[]", "count": "bigint"},
    f"""
WITH claimed AS ({_CLAIM}), noted AS (
  INSERT INTO board_build_events (event_id)
  SELECT c.event_id FROM board_builds AS b CROSS JOIN claimed AS c
   WHERE b.state = 'building' AND {ALIVE.format(lock=BUILD, build="b")}
      ON CONFLICT DO NOTHING
)
SELECT (SELECT stamp::text FROM boards_stamp), CASE WHEN (SELECT count(*) FROM claimed) < %(count)s
       THEN ARRAY(SELECT event_id::text FROM claimed) END
""",
    before=f"SELECT pg_advisory_xact_lock_shared({BOARDS})",
)
RELEASE: Final = """
WITH told AS (DELETE FROM board_build_events WHERE event_id = ANY(%(ids)s::uuid[]))
DELETE FROM leaderboards_applied_events WHERE event_id = ANY(%(ids)s::uuid[])
"""

VERSION: Final = """
INSERT INTO board_versions (board_id, version, definition, changed_by, reason)
VALUES (%s, %s, %s::jsonb, %s, %s)
"""


# A delta counts in every scope of its part. The order is that of the unique index: the periods of a
# player lie side by side in it.
def _insert(*, named: bool) -> str:
    """`named`: the deltas bear the id of their event."""
    column, value, typed = (
        (", event_id", ", d.event_id", ", event_id uuid") if named else ("", "", "")
    )
    return f"""
WITH scopes AS MATERIALIZED (
  SELECT * FROM json_to_recordset(%(scopes)s) AS s(
         part int, game_id text, board text, period text, period_start timestamptz,
         descending boolean, told boolean)
), merged AS (
INSERT INTO leaderboards AS l (
       game_id, board, period, period_start, player_id, score, rank_key, achieved_at, moved,
       version{column})
SELECT s.game_id, s.board, s.period, s.period_start, d.player_id, d.score,
       CASE WHEN s.descending THEN -d.score ELSE d.score END, d.achieved_at, d.moved,
       {versions.FRESH}{value}
  FROM json_to_recordset(%(deltas)s) AS d(
       part int, player_id text, score numeric, achieved_at timestamptz, moved boolean{typed})
  JOIN scopes AS s ON s.part = d.part
 ORDER BY d.player_id COLLATE "C", s.game_id COLLATE "C", s.board COLLATE "C",
       s.period COLLATE "C", s.period_start
    ON CONFLICT (player_id, game_id, board, period, period_start) DO UPDATE SET
"""


_INSERT: Final = _insert(named=False)
# Times as text: psycopg2 would make a datetime of every value. Of most periods nobody reads the
# order, and to take in their rows was half of a worker's time.
_RETURNING: Final = """
RETURNING l.game_id, l.board, l.period, l.period_start, l.player_id, l.rank_key, l.achieved_at,
          l.version
)
SELECT game_id, board, period, period_start::text, player_id, rank_key, achieved_at::text, version
  FROM merged
 WHERE (game_id, board, period, period_start) IN (
       SELECT game_id, board, period, period_start FROM scopes WHERE told)
"""
_REPLACE: Final = f"""
       score = EXCLUDED.score, rank_key = EXCLUDED.rank_key, achieved_at = EXCLUDED.achieved_at,
       moved = EXCLUDED.moved, version = {versions.next_of("l")}, updated_at = now()
"""
# The same attempt gives score, time and `moved`: never the best of each.
_BEST: Final = f"""{_REPLACE}
 WHERE (EXCLUDED.rank_key, EXCLUDED.achieved_at) < (l.rank_key, l.achieved_at)
"""
_MIN: Final = f"""{_REPLACE}
 WHERE (EXCLUDED.score, EXCLUDED.achieved_at) < (l.score, l.achieved_at)
"""
_MAX: Final = f"""{_REPLACE}
 WHERE (-EXCLUDED.score, EXCLUDED.achieved_at) < (-l.score, l.achieved_at)
"""
_LATEST: Final = f"""{_REPLACE}, event_id = EXCLUDED.event_id
 WHERE (EXCLUDED.achieved_at, EXCLUDED.event_id) > (l.achieved_at, l.event_id)
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
_MERGE: Final = {
    Operator.BEST: _INSERT + _BEST,
    Operator.SUM: _INSERT + _SUM,
    Operator.LATEST: _insert(named=True) + _LATEST,
    Operator.MIN: _INSERT + _MIN,
    Operator.MAX: _INSERT + _MAX,
    Operator.COUNT: _INSERT + _SUM,
}
MERGE: Final = {
    operator: Prepared(
        f"merge_{operator.value}", {"deltas": "json", "scopes": "json"}, statement + _RETURNING
    )
    for operator, statement in _MERGE.items()
}

_encoder = msgspec.json.Encoder(decimal_format="string")


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as one parameter; decimals travel as strings and lose no digit."""
    return _encoder.encode(rows).decode()
