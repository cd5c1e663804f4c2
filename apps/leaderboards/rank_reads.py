"""Reading a board from Redis: whole answers, each of one moment, or none.

All raise CacheUnavailable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.leaderboards.cursors import Seek
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.rank_members import double_and_member, parse
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.read_scripts import AROUND, LOOKUP, PAGE, TOO_DEEP
from apps.leaderboards.windows import Found, Line, Window
from apps.ledger.cache import client, outages
from apps.ledger.scripts import Script


class OrderIncomplete(Exception):
    """Redis does not hold every entry of the period."""


class TooDeep(Exception):
    """Counting the distinct scores ahead would hold Redis up for everybody."""


def page(scope: BoardPeriod, mode: RankMode, limit: int, seek: Seek | None) -> Window:
    """`limit` entries from the top, or next to a place. Raises OrderIncomplete, TooDeep."""
    arguments: list[str | int] = [mode.value, limit]
    if seek is not None:
        arguments.append(seek.side.value)
        arguments += double_and_member(seek.rank_key, seek.achieved_at, seek.player_id)
    return _window(_run(PAGE, scope, arguments))


def around(scope: BoardPeriod, mode: RankMode, player_id: str, each: int) -> Window | None:
    """The window around a player; None without an entry. Raises OrderIncomplete, TooDeep."""
    reply = _run(AROUND, scope, [mode.value, player_id, each])
    return _window(reply) if len(reply) > 1 else None


def lookup(scope: BoardPeriod, mode: RankMode, player_ids: Sequence[str]) -> Found:
    """The entries of these players. Raises OrderIncomplete, TooDeep."""
    total, found = _run(LOOKUP, scope, [mode.value, *player_ids])
    column = {RankMode.ORDINAL: 0, RankMode.COMPETITION: 1, RankMode.DENSE: 2}[mode]
    if any(entry[2] == TOO_DEEP for entry in found):
        raise TooDeep
    return Found(
        total=total,
        lines=tuple((entry[column] + 1, _line(entry[3], entry[4])) for entry in found),
    )


def _run(script: Script, scope: BoardPeriod, arguments: Sequence[str | int]) -> Any:
    with outages():
        reply = script.run(client(), scope.keys()[:2], *arguments)
    if reply is None:
        raise OrderIncomplete
    return reply


def _window(reply: Any) -> Window:
    total, ahead, better, distinct, found = reply
    if distinct == TOO_DEEP:
        raise TooDeep
    return Window(
        total=total,
        ahead=ahead,
        better=better,
        distinct=max(distinct, 0),
        lines=tuple(map(_line, found[::2], found[1::2])),
    )


def _line(member: bytes, double: bytes) -> Line:
    rank_key, achieved_at, player_id = parse(member.decode(), float(double))
    return Line(player_id=player_id, rank_key=rank_key, achieved_at=achieved_at)
