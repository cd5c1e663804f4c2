"""What moved between two looks at the top of a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """An entry and its rank; `tied`: the line before or after it has the same score."""

    rank: int
    player_id: str
    score: Decimal
    achieved_at: datetime
    tied: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """A line that is new or otherwise than before; `was` is None where it came into the top."""

    line: Line
    was: int | None


def moved(before: Sequence[Line], now: Sequence[Line]) -> tuple[list[Moved], list[str]]:
    """The changed lines in rank order, and the players who are no longer among the top.

    Who removes the one and puts in the other by rank has `now`.
    """
    held = {line.player_id: line for line in before}
    changed = []
    for line in now:
        old = held.pop(line.player_id, None)
        if old != line:
            changed.append(Moved(line=line, was=None if old is None else old.rank))
    return changed, list(held)
