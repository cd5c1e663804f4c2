"""Rank numbers of a run of entries, wherever on the board it begins."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum


class RankMode(StrEnum):
    """How equal scores are numbered: 1 2 3 4, 1 2 2 4, or 1 2 2 3."""

    ORDINAL = "ordinal"
    COMPETITION = "competition"
    DENSE = "dense"


def ranks(
    mode: RankMode,
    scores: Iterable[Decimal],
    *,
    ahead: int = 0,
    better: int = 0,
    distinct: int = 0,
) -> list[int]:
    """The rank of each score; `scores` are consecutive in rank order.

    Of the first: `ahead` entries come before it, `better` of them have a better score, and these
    have `distinct` different scores (only asked for dense ranks).
    """
    first = {RankMode.COMPETITION: better, RankMode.DENSE: distinct}
    numbers: list[int] = []
    held: Decimal | None = None
    rank = 0
    for position, score in enumerate(scores, start=ahead + 1):
        if mode is RankMode.ORDINAL:
            rank = position
        elif held is None:
            rank = first[mode] + 1
        elif score != held:
            rank = position if mode is RankMode.COMPETITION else rank + 1
        held = score
        numbers.append(rank)
    return numbers


def percentile(competition_rank: int, total: int) -> Decimal:
    """The share of the board, in percent, whose score is this one or a worse one.

    100 * (total - competition_rank + 1) / total, cut after 4 digits: 100 is said of the best score
    alone, ties have one percentile whatever the rank mode, and it is never 0.
    SQL says 100 * cume_dist() OVER (ORDER BY rank_key DESC).
    """
    return Decimal(1_000_000 * (total - competition_rank + 1) // total).scaleb(-4)
