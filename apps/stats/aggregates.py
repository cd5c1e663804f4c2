"""What an aggregate takes from events, and how it is one number. No clock, no database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from apps.contract import pointers

# A reading has at most this many digits before and after the point, as a score has.
MAX_DIGITS: Final = 30
# Of a game: each costs two rows for a player and day.
MOST: Final = 50
# What PostgreSQL takes for an index of an array, beyond what RFC 6901 does.
_LOOSE_INDEX: Final = re.compile(" *[-+]?[0-9]+")


class Operator(StrEnum):
    """How a player's readings become one value.

    Each is commutative and associative. `last` goes by event time, and of one moment by the
    greater event id.
    """

    SUM = "sum"
    MIN = "min"
    MAX = "max"
    LAST = "last"


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """An aggregate, as data; `event_types` are sorted and different, `pointer` is into `data`."""

    game_id: str
    name: str
    event_types: tuple[str, ...]
    pointer: str
    operator: Operator

    @property
    def path(self) -> list[str]:
        """The pointer's steps, as PostgreSQL's `#>` walks them."""
        return list(pointers.steps(self.pointer))

    @property
    def guarded(self) -> list[int]:
        """How many steps lead to where an array has nothing, though `#>` would find an element."""
        return [
            place
            for place, step in enumerate(self.path)
            if _LOOSE_INDEX.fullmatch(step) and not pointers.is_index(step)
        ]
