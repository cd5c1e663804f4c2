"""Which scores of newly claimed events count, by decisions and by who is hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from apps.leaderboards import decisions
from apps.leaderboards.decision_models import Decision
from apps.leaderboards.decisions import Rulings
from apps.leaderboards.folding import Scored

_NOTHING: Final = Rulings()


def rule(rulings: Mapping[str, Rulings], found: Sequence[tuple[Scored, str]]) -> Iterator[Scored]:
    """The scores that count, of (score, event id). Runs in the transaction of the claims.

    An event that is decided upon comes again where its claim was lost, as by a repair.
    """
    states = decisions.states(
        (definition.game_id, definition.name, event_id)
        for (definition, *_), event_id in found
        if definition.name in rulings.get(definition.game_id, _NOTHING).decided
    )
    for scored, event_id in found:
        game_id, board = scored.definition.game_id, scored.definition.name
        if states.get((game_id, board, event_id)) in Decision.UNCOUNTED:
            continue
        if not rulings.get(game_id, _NOTHING).hides(board, scored.player_id):
            yield scored
