"""The boards of games as a worker read them last, and the stamp that tells whether they stand.

Who is hidden and what is decided upon stands under the same stamp (decision 0050).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from apps.leaderboards import decisions, selectors
from apps.leaderboards.decisions import Rulings
from apps.leaderboards.rules import Definition

# Games; some kB each.
_MOST: Final = 10_000
# The boards of a game that count an event type.
Counting = Mapping[str, Sequence[Definition]]
_NONE: Final[Counting] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownBoards:
    """The boards of some games; never true by themselves, only under an equal stamp.

    A value, so that what one thread judges no other changes meanwhile.
    """

    stamp: str | None = None
    games: Mapping[str, Counting] = field(default_factory=dict)
    # Of the few games of which there is something to know.
    rulings: Mapping[str, Rulings] = field(default_factory=dict)

    def counting(self, game_id: str, event_type: str) -> Sequence[Definition]:
        """The boards that count such an event of the game, as far as is known."""
        return self.games.get(game_id, _NONE).get(event_type, ())

    def claims(self, game_id: str, event_type: str) -> bool:
        """Whether such an event is claimed: some board counts it, or one that is being built."""
        return event_type in self.games.get(game_id, _NONE)

    def stand(self, stamp: str | None, game_ids: Iterable[str]) -> bool:
        """Whether all that is known of the games was read under this stamp."""
        return stamp is not None and stamp == self.stamp and self.games.keys() >= set(game_ids)

    def read(self, stamp: str | None, game_ids: Iterable[str]) -> KnownBoards:
        """With what was not known of the games; `stamp` was read before, under the boards' lock.

        So what is known is never older than its stamp. Newer it may be, where a board was changed
        by hand: the next stamp tells. Without a stamp nothing is taken as known.
        """
        keep = stamp is not None and stamp == self.stamp and len(self.games) <= _MOST
        games = dict(self.games) if keep else {}
        rulings = dict(self.rulings) if keep else {}
        unknown = selectors.definitions(set(game_ids) - games.keys())
        rulings |= decisions.rulings(unknown)
        awaited = selectors.awaited(unknown)
        for game_id, found in unknown.items():
            by_type: dict[str, list[Definition]] = defaultdict(list)
            for definition in found:
                for event_type in definition.scoring:
                    by_type[event_type].append(definition)
            for event_type in awaited.get(game_id, ()):
                by_type.setdefault(event_type, [])
            games[game_id] = dict(by_type)
        return KnownBoards(stamp=stamp, games=games, rulings=rulings)


@dataclass(slots=True)
class Memory:
    """What a process knows, from chunk to chunk."""

    boards: KnownBoards = field(default_factory=KnownBoards)
