"""Rank numbers of a page that starts at the top."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum


class RankMode(StrEnum):
    """How equal scores are numbered: 1 2 3 4, 1 2 2 4, or 1 2 2 3."""

    ORDINAL = "ordinal"
    COMPETITION = "competition"
    DENSE = "dense"


def ranks(mode: RankMode, scores: Iterable[Decimal]) -> list[int]:
    """The rank of each score; `scores` are in rank order from the first place on."""
    numbers: list[int] = []
    held: Decimal | None = None
    rank = 0
    for position, score in enumerate(scores, start=1):
        if mode is RankMode.ORDINAL:
            rank = position
        elif score != held:
            rank = position if mode is RankMode.COMPETITION else rank + 1
        held = score
        numbers.append(rank)
    return numbers
