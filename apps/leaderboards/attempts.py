"""What a board with bounds remembers of a player: the latest score it counted, and how many.

It is a fold of the counted scores too, whatever the order; and of hidden players as of others, so
that to hide and undo is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection

from apps.leaderboards.bounds import Last
from apps.leaderboards.folding import Scored
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rules import Definition
from apps.leaderboards.upserts import as_json

_Key = tuple[str, str, str]  # game_id, board, player_id
_Starts = tuple[tuple[Period, datetime], ...]
_ROWS: Final = """
json_to_recordset(%s::json) AS asked(
  game_id text, board text, player_id text, period text, period_start timestamptz, attempts bigint,
  last_at timestamptz, last_event uuid, last_score numeric)
"""
_ORDER: Final = 'player_id COLLATE "C", game_id COLLATE "C", board COLLATE "C"'
# The all-time row of a player is there for every board that remembers, and is the lock of all of
# theirs: two workers judge one player one after the other. In the order of the key: no deadlock.
_LOCK: Final = f"""
INSERT INTO board_attempts AS a (game_id, board, player_id, period, period_start, attempts)
SELECT game_id, board, player_id, period, period_start, 0 FROM {_ROWS} ORDER BY {_ORDER}
    ON CONFLICT (player_id, game_id, board, period, period_start)
    DO UPDATE SET attempts = a.attempts
RETURNING game_id, board, player_id, attempts, last_at, last_event::text, last_score
"""
_READ: Final = f"""
SELECT a.game_id, a.board, a.player_id, a.period, a.period_start, a.attempts
  FROM {_ROWS} JOIN board_attempts AS a USING (game_id, board, player_id, period, period_start)
"""
_WRITE: Final = f"""
INSERT INTO board_attempts AS a (game_id, board, player_id, period, period_start, attempts,
                                 last_at, last_event, last_score)
SELECT game_id, board, player_id, period, period_start, attempts, last_at, last_event, last_score
  FROM {_ROWS} ORDER BY {_ORDER}, period COLLATE "C", period_start
    ON CONFLICT (player_id, game_id, board, period, period_start)
    DO UPDATE SET attempts = EXCLUDED.attempts, last_at = EXCLUDED.last_at,
                  last_event = EXCLUDED.last_event, last_score = EXCLUDED.last_score
"""
_FORGET: Final = """
DELETE FROM board_attempts
 WHERE game_id = %(game_id)s AND board = %(board)s AND player_id = ANY(%(players)s)
"""


@dataclass(kw_only=True, slots=True)
class Past:
    """What the board has counted of one player, as far as it was asked for."""

    last: Last | None = None
    attempts: dict[tuple[Period, datetime], int] = field(default_factory=dict)
    changed: bool = False

    def count(self, scored: Scored, event_id: str) -> None:
        """One score more."""
        self.changed = True
        for start in _starts(scored.definition, scored.at):
            self.attempts[start] = self.attempts.get(start, 0) + 1
        if self.last is None or (scored.at, event_id) > self.last[:2]:
            self.last = Last(scored.at, event_id, scored.score)

    def kept(self, scored: Scored) -> list[tuple[str, int]]:
        """Attempts in the periods that the board keeps and the score lies in."""
        definition = scored.definition
        return [
            (period.value, self.attempts.get((period, definition.start_of(period, scored.at)), 0))
            for period in definition.periods
        ]


Pasts = dict[_Key, Past]


def key_of(scored: Scored) -> _Key:
    return scored.definition.game_id, scored.definition.name, scored.player_id


def _starts(definition: Definition, at: datetime) -> _Starts:
    """All-time first, kept by the board or not."""
    others = tuple(
        (period, definition.start_of(period, at))
        for period in definition.periods
        if period is not Period.ALLTIME
    )
    return ((Period.ALLTIME, EPOCH), *others)


def lock(found: Iterable[Scored]) -> Pasts:
    """The past of the players of these scores, locked until the transaction ends."""
    wanted: dict[_Key, set[tuple[Period, datetime]]] = {}
    for scored in found:
        starts = wanted.setdefault(key_of(scored), set())
        starts.update(_starts(scored.definition, scored.at)[1:])
    pasts: Pasts = {}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [as_json([_row(key, (Period.ALLTIME, EPOCH)) for key in wanted])])
        for game_id, board, player_id, attempts, at, event_id, score in cursor.fetchall():
            past = pasts[game_id, board, player_id] = Past()
            past.attempts[Period.ALLTIME, EPOCH] = attempts
            past.last = None if at is None else Last(at, event_id, score)
        # In a statement after the locks, so in a snapshot after them.
        others = [_row(key, start) for key, starts in wanted.items() for start in starts]
        if others:
            cursor.execute(_READ, [as_json(others)])
            for game_id, board, player_id, period, start, attempts in cursor.fetchall():
                pasts[game_id, board, player_id].attempts[Period(period), start] = attempts
    return pasts


def write(pasts: Pasts) -> None:
    """What was counted since `lock`."""
    rows: list[dict[str, Any]] = []
    for key, past in pasts.items():
        if not past.changed:
            continue
        for start, attempts in past.attempts.items():
            row = _row(key, start) | {"attempts": attempts}
            if start[0] is Period.ALLTIME and past.last is not None:
                at, event_id, score = past.last
                row |= {"last_at": at, "last_event": event_id, "last_score": score}
            rows.append(row)
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [as_json(rows)])


def rewrite(definition: Definition, players: Sequence[str], pasts: Pasts) -> None:
    """All that the board remembers of these players, in a transaction that holds scores still."""
    names: dict[str, str | list[str]] = {
        "game_id": definition.game_id,
        "board": definition.name,
        "players": list(players),
    }
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, names)
    write(pasts)


def _row(key: _Key, start: tuple[Period, datetime]) -> dict[str, Any]:
    game_id, board, player_id = key
    period, period_start = start
    return {
        "game_id": game_id,
        "board": board,
        "player_id": player_id,
        "period": period.value,
        "period_start": period_start,
    }
