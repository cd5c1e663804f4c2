"""Reading a board from PostgreSQL: what Redis answers, from the rows themselves.

Each read passes over the board's period a few times, by the index of its scope: there is none by
rank (decision 0036).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from typing import Any, Final

from django.db import connection, transaction

from apps.leaderboards import selectors
from apps.leaderboards.cursors import Seek, Side
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.windows import Found, Line, Window

_OF_SCOPE: Final = """
  FROM leaderboards
 WHERE game_id = %(game_id)s AND board = %(board)s AND period = %(period)s
   AND period_start = %(period_start)s
"""
_PLACE: Final = "(%(rank_key)s, %(achieved_at)s, %(player_id)s)"
_LINES: Final = f"SELECT rank_key, achieved_at, player_id {_OF_SCOPE}"
_BESIDE: Final = {side: f" AND (rank_key, achieved_at, player_id) {side} {_PLACE}" for side in Side}
_ONWARD: Final = " ORDER BY rank_key, achieved_at, player_id LIMIT %(limit)s"
_BACK: Final = " ORDER BY rank_key DESC, achieved_at DESC, player_id DESC LIMIT %(limit)s"
_COUNTS: Final = f"""
SELECT count(*), count(*) FILTER (WHERE (rank_key, achieved_at, player_id) < {_PLACE}),
       count(*) FILTER (WHERE rank_key < %(rank_key)s) {_OF_SCOPE}
"""
_DISTINCT: Final = f"""
SELECT count(*) FROM (SELECT DISTINCT rank_key {_OF_SCOPE} AND rank_key < %(rank_key)s) AS d
"""
_RANKS: Final = {
    RankMode.ORDINAL: "row_number() OVER (ORDER BY rank_key, achieved_at, player_id)",
    RankMode.COMPETITION: "rank() OVER (ORDER BY rank_key)",
    RankMode.DENSE: "dense_rank() OVER (ORDER BY rank_key)",
}


class BoardSwitched(Exception):
    """The board was defined or built anew since the reader asked how it is defined: ask again."""


def page(scope: BoardPeriod, mode: RankMode, limit: int, seek: Seek | None) -> Window:
    """`limit` entries from the top, or next to a place. Raises BoardSwitched."""
    with _one_moment(scope):
        return _window(scope, mode, _lines(scope, seek, limit), seek)


def around(scope: BoardPeriod, mode: RankMode, player_id: str, each: int) -> Window | None:
    """The window around a player; None without an entry. Raises BoardSwitched."""
    with _one_moment(scope):
        found = _rows(_LINES + " AND player_id = %(player_id)s", scope, player_id=player_id)
        if not found:
            return None
        own = _line(found[0])
        total, ahead, _ = _counts(scope, own)
        first = max(min(ahead - each, total - 2 * each - 1), 0)
        last = min(first + 2 * each, total - 1)
        lines = (
            *_lines(scope, own.seek(Side.BEFORE), ahead - first),
            own,
            *_lines(scope, own.seek(Side.AFTER), last - ahead),
        )
        return _window(scope, mode, lines, None)


def lookup(scope: BoardPeriod, mode: RankMode, player_ids: Sequence[str]) -> Found:
    """The entries of these players; one sort of the whole period. Raises BoardSwitched."""
    with _one_moment(scope):
        ((total,),) = _rows("SELECT count(*)" + _OF_SCOPE, scope)
        wanted = list(player_ids)
        among = " AND player_id = ANY(%(wanted)s)"
        if not _rows("SELECT 1" + _OF_SCOPE + among + " LIMIT 1", scope, wanted=wanted):
            return Found(total=total, lines=())
        ranked = f"SELECT rank_key, achieved_at, player_id, {_RANKS[mode]} AS rank {_OF_SCOPE}"
        rows = _rows(
            f"SELECT * FROM ({ranked}) AS r WHERE player_id = ANY(%(wanted)s)"
            " ORDER BY rank_key, achieved_at, player_id",
            scope,
            wanted=wanted,
        )
        return Found(total=total, lines=tuple((row[3], _line(row)) for row in rows))


@contextmanager
def _one_moment(scope: BoardPeriod) -> Iterator[None]:
    """All statements see the same rows, those of the scope's generation.

    A caller's own transaction is left as it is.
    """
    if connection.in_atomic_block:
        _demand_current(scope)
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        _demand_current(scope)
        yield


def _demand_current(scope: BoardPeriod) -> None:
    if not selectors.is_current(scope):
        raise BoardSwitched(BoardSwitched.__doc__)


def _lines(scope: BoardPeriod, seek: Seek | None, limit: int) -> tuple[Line, ...]:
    if limit == 0:
        return ()
    if seek is None:
        return tuple(map(_line, _rows(_LINES + _ONWARD, scope, limit=limit)))
    statement = _LINES + _BESIDE[seek.side] + (_ONWARD if seek.side.onward else _BACK)
    found = [_line(row) for row in _rows(statement, scope, limit=limit, **_place(seek))]
    return tuple(found if seek.side.onward else reversed(found))


def _window(
    scope: BoardPeriod, mode: RankMode, lines: tuple[Line, ...], seek: Seek | None
) -> Window:
    if lines:
        total, ahead, better = _counts(scope, lines[0])
        distinct = _distinct(scope, lines[0]) if mode is RankMode.DENSE else 0
        return Window(total=total, ahead=ahead, better=better, distinct=distinct, lines=lines)
    ((total,),) = _rows("SELECT count(*)" + _OF_SCOPE, scope)
    # Nobody on that side of the place: all are on the other.
    ahead = total if seek is not None and seek.side.onward else 0
    return Window(total=total, ahead=ahead, better=ahead, distinct=0, lines=())


def _counts(scope: BoardPeriod, line: Line) -> tuple[int, int, int]:
    """Entries, those ahead of this one, those of a better score."""
    ((total, ahead, better),) = _rows(_COUNTS, scope, **_place(line))
    return total, ahead, better


def _distinct(scope: BoardPeriod, line: Line) -> int:
    ((distinct,),) = _rows(_DISTINCT, scope, rank_key=line.rank_key)
    return int(distinct)


def _place(place: Line | Seek) -> dict[str, Any]:
    return {
        "rank_key": place.rank_key,
        "achieved_at": place.achieved_at,
        "player_id": place.player_id,
    }


def _rows(statement: str, scope: BoardPeriod, **more: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "game_id": scope.game_id,
                "board": scope.board,
                "period": scope.period.value,
                "period_start": scope.period_start,
                **more,
            },
        )
        return list(cursor.fetchall())


def _line(row: Sequence[Any]) -> Line:
    return Line(rank_key=row[0], achieved_at=row[1].astimezone(UTC), player_id=row[2])
