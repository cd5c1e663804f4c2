"""What generated events must add up to, kept by the one who sends them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Final

# Scores have at most 10 digits; a sum of 10^40 of them is still exact.
EXACT: Final = Context(prec=60)


@dataclass(kw_only=True, slots=True)
class Oracle:
    """Grows with the players, not with the events."""

    events: int = 0
    repeats: int = 0  # events sent once more under the same id; they must add nothing
    by_type: Counter[str] = field(default_factory=Counter)
    by_player: Counter[str] = field(default_factory=Counter)
    scores: dict[str, Decimal] = field(default_factory=dict)  # players with some score

    def add(self, event_type: str, player_id: str, score: Decimal | None) -> None:
        """One event under a new id; `score` is what it adds to the default board."""
        self.events += 1
        self.by_type[event_type] += 1
        self.by_player[player_id] += 1
        if score is not None:
            held = self.scores.get(player_id)
            self.scores[player_id] = score if held is None else EXACT.add(held, score)
