"""Which scores count on boards that are built: by decisions, by who is hidden, and by bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.leaderboards import decisions
from apps.leaderboards.decisions import Rulings
from apps.leaderboards.folding import Scored
from apps.leaderboards.models import Decision, HiddenPlayer, ModerationAct
from apps.leaderboards.rules import Definition

_Key = tuple[str, str, str]  # game_id, board, event id
_NOTHING = Rulings()


@dataclass(kw_only=True, slots=True)
class BuildRulings:
    """Decisions and hidden players as of the build's snapshot, and what notes bring since.

    `anew`: the boards are defined anew, so what their bounds have held is judged again, and what
    people have decided stands. What people do while it is built is recounted at the switch.
    """

    anew: bool
    hidden: Mapping[str, Rulings] = field(default_factory=dict)
    states: dict[_Key, str] = field(default_factory=dict)
    last_act: int = 0

    @classmethod
    def of(cls, boards: Mapping[str, Sequence[Definition]], *, anew: bool) -> BuildRulings:
        """In the build's snapshot."""
        decided = Decision.objects.filter(game_id__in=list(boards))
        states = {
            (game_id, board, str(event_id)): state
            for game_id, board, event_id, state in decided.values_list(
                "game_id", "board", "event_id", "state"
            )
        }
        last = ModerationAct.objects.order_by("-id").values_list("id", flat=True).first()
        return cls(
            anew=anew,
            hidden={
                game_id: decisions.exclusions(game_id, None).rulings
                for game_id in HiddenPlayer.objects.filter(game_id__in=list(boards))
                .values_list("game_id", flat=True)
                .distinct()
            },
            states=states,
            last_act=last or 0,
        )

    def learn(self, noted: Iterable[_Key]) -> None:
        """What was decided upon events in the transactions that claimed them."""
        self.states |= decisions.states(noted)

    def counts(self, scored: Scored, event_id: str) -> bool:
        """Whether it counts; bounds that remember are judged when the board is switched."""
        definition = scored.definition
        game_id, board = definition.game_id, definition.name
        if self.hidden.get(game_id, _NOTHING).hides(board, scored.player_id):
            return False
        state = self.states.get((game_id, board, event_id))
        if not self.anew:
            return state not in Decision.UNCOUNTED
        if state == Decision.REMOVED:
            return False
        if state == Decision.RELEASED or definition.bounds is None:
            return True
        return definition.bounds.breach_alone(scored.score) is None

    def acted_upon(self, definition: Definition) -> list[str]:
        """Players of the board upon whom people have acted since the snapshot."""
        acts = ModerationAct.objects.filter(
            game_id=definition.game_id,
            board__in=[definition.name, HiddenPlayer.EVERY_BOARD],
            id__gt=self.last_act,
        )
        named: Any = acts.values_list("player_id", flat=True).distinct()
        return sorted(named)
