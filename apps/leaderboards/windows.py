"""What a read of a board finds: consecutive entries, and what their ranks are counted from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.leaderboards.cursors import Seek, Side
from apps.leaderboards.ranks import RankMode, ranks


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """An entry as it is ranked."""

    player_id: str
    rank_key: Decimal
    achieved_at: datetime

    def seek(self, side: Side) -> Seek:
        return Seek(
            side=side,
            rank_key=self.rank_key,
            achieved_at=self.achieved_at,
            player_id=self.player_id,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Entries [ahead, ahead + len(lines)) of a board of `total`, all of one moment.

    `better` entries have a better score than the first line's, with `distinct` different scores
    (0 unless dense ranks were asked for).
    """

    total: int
    ahead: int
    better: int
    distinct: int
    lines: tuple[Line, ...]

    def ranks(self, mode: RankMode) -> list[int]:
        """The rank of each line."""
        return ranks(
            mode,
            [line.rank_key for line in self.lines],
            ahead=self.ahead,
            better=self.better,
            distinct=self.distinct,
        )

    def onward(self, seek: Seek | None) -> Seek | None:
        """Where the page after this one begins; None at the end of the board.

        `seek` is what this page was asked by.
        """
        if self.ahead + len(self.lines) >= self.total:
            return None
        return self._beyond(Side.AFTER, seek)

    def back(self, seek: Seek | None) -> Seek | None:
        """Where the page before this one ends; None at the top of the board."""
        return self._beyond(Side.BEFORE, seek) if self.ahead else None

    def _beyond(self, side: Side, seek: Seek | None) -> Seek | None:
        if self.lines:
            return self.lines[-1 if side.onward else 0].seek(side)
        # All of the page has moved away: turn round where it was.
        if seek is None or seek.side.onward == side.onward:
            return None
        return Seek(
            side=seek.side.opposite,
            rank_key=seek.rank_key,
            achieved_at=seek.achieved_at,
            player_id=seek.player_id,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The entries of some players in rank order, each with its rank, of a board of `total`."""

    total: int
    lines: tuple[tuple[int, Line], ...]
