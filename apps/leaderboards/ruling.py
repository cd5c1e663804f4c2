"""Which scores of newly claimed events count: by decisions, by bounds, and by who is hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connection

from apps.leaderboards import attempts, decisions
from apps.leaderboards.attempts import Past, key_of
from apps.leaderboards.bounds import Bounds, Breach
from apps.leaderboards.decision_models import Decision
from apps.leaderboards.decisions import Rulings
from apps.leaderboards.folding import Scored
from apps.leaderboards.upserts import as_json

Ruled = tuple[Scored, str]  # a score, and the id of its event
_NOTHING: Final = Rulings()
_HOLD: Final = """
INSERT INTO score_decisions (game_id, board, event_id, player_id, event_timestamp, score, rule,
                             detail, state, board_version)
SELECT h.game_id, h.board, h.event_id, h.player_id, h.event_timestamp, h.score, h.rule, h.detail,
       'held', coalesce(b.version, 0)
  FROM json_to_recordset(%s::json) AS h(
       game_id text, board text, event_id uuid, player_id text, event_timestamp timestamptz,
       score numeric, rule text, detail text)
  LEFT JOIN boards AS b ON b.game_id = h.game_id AND b.name = h.board
 ORDER BY h.game_id COLLATE "C", h.board COLLATE "C", h.event_id
    ON CONFLICT (game_id, board, event_id) DO NOTHING
"""


def rule(rulings: Mapping[str, Rulings], found: Sequence[Ruled]) -> list[Scored]:
    """The scores that count; what breaks a bound is held. Runs in the transaction of the claims.

    An event that is decided upon comes again where its claim was lost, as by a repair. Hidden
    players are judged as others are, so that to hide and undo is nothing.
    """
    states = decisions.states(
        (*_board(scored), event_id)
        for scored, event_id in found
        if scored.definition.bounds is not None
        or scored.definition.name in rulings.get(scored.definition.game_id, _NOTHING).decided
    )
    counted: list[Scored] = []
    bounded: list[Ruled] = []
    released: set[tuple[str, str, str]] = set()
    for scored, event_id in found:
        state = states.get((*_board(scored), event_id))
        if state in Decision.UNCOUNTED:
            continue
        if scored.definition.bounds is None:
            counted.append(scored)
            continue
        bounded.append((scored, event_id))
        if state == Decision.RELEASED:
            released.add((*_board(scored), event_id))
    if bounded:
        counted += _judged(bounded, released)
    return [
        scored
        for scored in counted
        if not rulings.get(scored.definition.game_id, _NOTHING).hides(
            scored.definition.name, scored.player_id
        )
    ]


def _board(scored: Scored) -> tuple[str, str]:
    return scored.definition.game_id, scored.definition.name


def _judged(found: Sequence[Ruled], released: set[tuple[str, str, str]]) -> list[Scored]:
    """In the order of event time, whatever the order in the chunk."""
    counted: list[Scored] = []
    held: list[dict[str, Any]] = []
    remembered: list[Ruled] = []
    for scored, event_id in sorted(found, key=lambda ruled: (ruled[0].at, ruled[1])):
        bounds = _bounds(scored)
        free = (*_board(scored), event_id) in released
        breach = None if free else bounds.breach_alone(scored.score)
        if breach is not None:
            held.append(_held(scored, event_id, breach))
        elif bounds.remember:
            remembered.append((scored, event_id))
        else:
            counted.append(scored)
    pasts = attempts.lock(scored for scored, _ in remembered) if remembered else {}
    for scored, event_id in remembered:
        past = pasts[key_of(scored)]
        free = (*_board(scored), event_id) in released
        breach = None if free else _breach_after(scored, past)
        if breach is not None:
            held.append(_held(scored, event_id, breach))
            continue
        past.count(scored, event_id)
        counted.append(scored)
    attempts.write(pasts)
    if held:
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, [as_json(held)])
    return counted


def _bounds(scored: Scored) -> Bounds:
    bounds = scored.definition.bounds
    assert bounds is not None
    return bounds


def _breach_after(scored: Scored, past: Past) -> Breach | None:
    return _bounds(scored).breach_after(scored.score, scored.at, past.last, past.kept(scored))


def _held(scored: Scored, event_id: str, breach: Breach) -> dict[str, Any]:
    game_id, board = _board(scored)
    return {
        "game_id": game_id,
        "board": board,
        "event_id": event_id,
        "player_id": scored.player_id,
        "event_timestamp": scored.at,
        "score": scored.score,
        "rule": breach.rule,
        "detail": breach.detail,
    }
