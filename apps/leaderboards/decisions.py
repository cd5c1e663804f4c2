"""What decisions and hiding keep off boards: whoever counts scores asks here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import connection

from apps.leaderboards.decision_models import Decision, HiddenPlayer
from apps.leaderboards.rules import Definition

_DECIDED: Final = """
SELECT b.game_id, b.board FROM unnest(%s::text[], %s::text[]) AS b(game_id, board)
 WHERE EXISTS (SELECT 1 FROM score_decisions AS d
                WHERE d.game_id = b.game_id AND d.board = b.board)
"""
_STATES: Final = """
SELECT d.game_id, d.board, d.event_id::text, d.state
  FROM unnest(%s::text[], %s::text[], %s::uuid[]) AS asked(game_id, board, event_id)
  JOIN score_decisions AS d USING (game_id, board, event_id)
"""
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rulings:
    """What a worker must know of a game before it counts; never a decision itself.

    `hidden`: players with the boards that they are hidden on, "" for every board. `decided`: the
    boards on which some event was decided upon; on one with bounds any may be, at any time.
    """

    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    decided: frozenset[str] = _NONE

    def hides(self, board: str, player_id: str) -> bool:
        boards = self.hidden.get(player_id, _NONE)
        return HiddenPlayer.EVERY_BOARD in boards or board in boards


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclusions:
    """All that does not count on a game's boards."""

    rulings: Rulings
    uncounted: frozenset[tuple[str, str]]  # board, event id

    def counts(self, board: str, player_id: str, event_id: str) -> bool:
        """Whether a score that the board counts by its rules counts indeed."""
        return (board, event_id) not in self.uncounted and not self.rulings.hides(board, player_id)


def rulings(found: Mapping[str, Sequence[Definition]]) -> dict[str, Rulings]:
    """By game, of games with these boards; without those of which there is nothing to know."""
    hidden: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = HiddenPlayer.objects.filter(game_id__in=list(found))
    for game_id, player_id, board in rows.values_list("game_id", "player_id", "board"):
        hidden[game_id][player_id].add(board)
    boards = [(d.game_id, d.name) for definitions in found.values() for d in definitions]
    decided: dict[str, set[str]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [[game for game, _ in boards], [name for _, name in boards]])
        for game_id, board in cursor.fetchall():
            decided[game_id].add(board)
    bounded = {d.game_id for definitions in found.values() for d in definitions if d.bounds}
    return {
        game_id: Rulings(
            hidden={player: frozenset(names) for player, names in hidden[game_id].items()},
            decided=frozenset(decided[game_id]),
        )
        for game_id in hidden.keys() | decided.keys() | bounded
    }


def exclusions(game_id: str, players: Sequence[str] | None = None) -> Exclusions:
    """Of a game; None: of all players. Read it where no score is applied meanwhile."""
    hidden = HiddenPlayer.objects.filter(game_id=game_id)
    uncounted = Decision.objects.filter(game_id=game_id, state__in=Decision.UNCOUNTED)
    if players is not None:
        hidden = hidden.filter(player_id__in=players)
        uncounted = uncounted.filter(player_id__in=players)
    boards: dict[str, set[str]] = defaultdict(set)
    for player_id, board in hidden.values_list("player_id", "board"):
        boards[player_id].add(board)
    return Exclusions(
        rulings=Rulings(hidden={player: frozenset(names) for player, names in boards.items()}),
        uncounted=frozenset(
            (board, str(event_id)) for board, event_id in uncounted.values_list("board", "event_id")
        ),
    )


def states(asked: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """The decisions upon (game_id, board, event_id), where there are some."""
    wanted = list(asked)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_STATES, [list(column) for column in zip(*wanted, strict=True)])
        return {(game, board, event): state for game, board, event, state in cursor.fetchall()}
