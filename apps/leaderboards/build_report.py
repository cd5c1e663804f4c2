"""How a board that is built differs from the one that is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from apps.database.statements import fetch, run
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rules import Definition

# Lines of each list.
SHOWN: Final = 25
_OF_BOARD: Final = "game_id = %(game_id)s AND board = %(board)s"
_KEYS: Final = "period, period_start, player_id"
_COUNTS: Final = f"""
SELECT count(p.player_id), count(r.player_id),
       count(*) FILTER (WHERE p.player_id IS NULL), count(*) FILTER (WHERE r.player_id IS NULL),
       count(*) FILTER (WHERE p.player_id IS NOT NULL AND r.player_id IS NOT NULL
                          AND (p.score, p.rank_key, p.achieved_at)
                              IS DISTINCT FROM (r.score, r.rank_key, r.achieved_at))
  FROM (SELECT * FROM leaderboards WHERE {_OF_BOARD}) AS p
  FULL JOIN (SELECT * FROM built WHERE {_OF_BOARD}) AS r USING ({_KEYS})
"""
_LAST: Final = f"SELECT max(period_start) FROM built WHERE {_OF_BOARD} AND period = %(period)s"
_RANKED: Final = """
SELECT player_id, score,
       row_number() OVER (ORDER BY rank_key, achieved_at, player_id COLLATE "C") AS rank
  FROM {table} WHERE game_id = %(game_id)s AND board = %(board)s AND period = %(period)s
   AND period_start = %(start)s
"""
_MOVES: Final = f"""
DROP TABLE IF EXISTS built_moves;
CREATE TEMP TABLE built_moves AS
SELECT player_id, p.rank AS before, r.rank AS after, p.score AS score_before,
       r.score AS score_after
  FROM ({_RANKED.format(table="leaderboards")}) AS p
  FULL JOIN ({_RANKED.format(table="built")}) AS r USING (player_id)
"""
_PLAYERS: Final = """
SELECT count(before), count(after), count(*) FILTER (WHERE before IS NULL),
       count(*) FILTER (WHERE after IS NULL), count(*) FILTER (WHERE before <> after)
  FROM built_moves
"""
_TOP: Final = """
SELECT {when}, player_id, trim_scale(score_{when})::text FROM built_moves
 WHERE {when} <= %(shown)s ORDER BY 1
"""
_GREATEST: Final = """
SELECT player_id, before, after FROM built_moves WHERE before <> after
 ORDER BY abs(before - after) DESC, least(before, after), player_id LIMIT %(shown)s
"""


def difference(definition: Definition) -> dict[str, Any]:
    """The built board against the live one, in words of JSON; scores are strings.

    `entries` counts all periods; players, tops and moves are of all time, or where the board does
    not keep it of the newest period of its first kind. In the builder's session.
    """
    of_board = {"game_id": definition.game_id, "board": definition.name}
    (counts,) = fetch(_COUNTS, **of_board)
    period = Period.ALLTIME if Period.ALLTIME in definition.periods else definition.periods[0]
    start = _start(period, **of_board)
    run(_MOVES, **of_board, period=period.value, start=start)
    (players,) = fetch(_PLAYERS)
    told = {
        "entries": dict(zip(("before", "after", "added", "gone", "changed"), counts, strict=True)),
        "period": period.value,
        "period_start": start.astimezone(UTC).isoformat(),
        "players": dict(zip(("before", "after", "added", "gone", "moved"), players, strict=True)),
        "top_before": _top("before"),
        "top_after": _top("after"),
        "greatest_moves": [
            {"player_id": player_id, "before": before, "after": after}
            for player_id, before, after in fetch(_GREATEST, shown=SHOWN)
        ],
    }
    run("DROP TABLE built_moves")
    return told


def _start(period: Period, **of_board: str) -> datetime:
    if period is Period.ALLTIME:
        return EPOCH
    ((start,),) = fetch(_LAST, **of_board, period=period.value)
    return EPOCH if start is None else start


def _top(when: str) -> list[dict[str, Any]]:
    return [
        {"rank": rank, "player_id": player_id, "score": score}
        for rank, player_id, score in fetch(_TOP.format(when=when), shown=SHOWN)
    ]
