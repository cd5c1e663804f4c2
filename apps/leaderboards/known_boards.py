"""The boards of games as a worker read them last, and the stamp that tells whether they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from apps.leaderboards import selectors
from apps.leaderboards.rules import Definition

# Games; some kB each.
_MOST: Final = 10_000
# The boards of a game that count an event type.
Counting = Mapping[str, Sequence[Definition]]
_NONE: Final[Counting] = {}


class KnownBoards:
    """What a process remembers of `boards`; never true by itself, only under an equal stamp."""

    def __init__(self) -> None:
        self._stamp: str | None = None
        self._games: dict[str, Counting] = {}

    def counting(self, game_id: str, event_type: str) -> Sequence[Definition]:
        """The boards that count such an event of the game, as far as is known."""
        return self._games.get(game_id, _NONE).get(event_type, ())

    def stand(self, stamp: str | None, game_ids: Iterable[str]) -> bool:
        """Whether all that is known of the games was read under this stamp."""
        return stamp is not None and stamp == self._stamp and self._games.keys() >= set(game_ids)

    def read(self, stamp: str | None, game_ids: Iterable[str]) -> None:
        """Read what is not known of the games; `stamp` was read before, under the boards' lock.

        So what is remembered is never older than its stamp. Newer it may be, where a board was
        changed by hand: the next stamp tells. Without a stamp nothing is taken as known.
        """
        if stamp is None or stamp != self._stamp or len(self._games) > _MOST:
            self._stamp, self._games = stamp, {}
        for game_id, found in selectors.definitions(set(game_ids) - self._games.keys()).items():
            by_type: dict[str, list[Definition]] = defaultdict(list)
            for definition in found:
                for event_type in definition.scoring:
                    by_type[event_type].append(definition)
            self._games[game_id] = dict(by_type)
