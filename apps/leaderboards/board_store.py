"""Storing how a board is defined, with who, when and why."""

from __future__ import annotations

from typing import Any

from apps.leaderboards.board_schema import as_json
from apps.leaderboards.models import Board, BoardVersion
from apps.leaderboards.rules import Definition


def declared(definition: Definition, by: str, reason: str) -> Board:
    """A new board."""
    board = Board.objects.create(
        game_id=definition.game_id, name=definition.name, **_columns(definition)
    )
    BoardVersion.record(board, as_json(definition), by=by, reason=reason)
    return board


def changed(board: Board, definition: Definition, by: str, reason: str) -> None:
    """The board's next version, and a generation of entries of its own.

    Call it in the transaction that replaces the entries, while no score is applied.
    """
    for name, value in _columns(definition).items():
        setattr(board, name, value)
    board.version += 1
    board.generation += 1
    board.save()
    BoardVersion.record(board, as_json(definition), by=by, reason=reason)


def _columns(definition: Definition) -> dict[str, Any]:
    (pointer,) = {scoring.pointer for scoring in definition.scoring.values()}
    return {
        "event_types": sorted(definition.scoring),
        "score": pointer,
        "operator": definition.operator.value,
        "order": definition.order.value,
        "periods": [period.value for period in definition.periods],
        "timezone": definition.timezone,
        "where": "" if definition.where is None else definition.where.text,
        "season": definition.season,
        "bounds": "" if definition.bounds is None else definition.bounds.text,
    }
