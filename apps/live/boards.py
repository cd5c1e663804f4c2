"""The top of a board as the streams and the page show it, read once for all who watch it."""

from __future__ import annotations

import threading
import time as clock
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from django.db import connection

from apps.leaderboards import board_reads, selectors
from apps.leaderboards.board_reads import BoardSwitched
from apps.leaderboards.periods import Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.rules import Definition, Order, score_at
from apps.leaderboards.windows import Window
from apps.live.movement import Line

# Seconds. A board is redefined now and then; its streams follow.
_DEFINITION_AGE: Final = 10.0
LAST_DAY: Final = date(9998, 12, 31)
FIRST_DAY: Final = date(1970, 1, 2)


class NoSuchBoard(LookupError):
    """The game has no such board, or the board keeps no scores of that period."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What is looked at: the first `limit` of a board's period, that of `day` or of now."""

    game_id: str
    board: str
    period: Period
    limit: int
    day: date | None = None
    rank_mode: RankMode = RankMode.ORDINAL


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The board at a moment; `start` and `end` (exclusive) are None for all-time."""

    start: datetime | None
    end: datetime | None
    total: int
    lines: tuple[Line, ...]
    read_at: datetime


def definition_of(game_id: str, board: str, period: Period) -> Definition:
    """The board's definition. Raises NoSuchBoard."""
    found = selectors.definition_of(game_id, board)
    if found is None:
        raise NoSuchBoard(f"{game_id!r} has no board {board!r}")
    if period not in found.periods:
        raise NoSuchBoard(f"board {board!r} does not keep {period} scores")
    return found


def read(watched: Watched, definition: Definition, now: datetime) -> View:
    """The board as it stands. Raises BoardSwitched."""
    moment = now
    if watched.day is not None:
        moment = datetime.combine(watched.day, time(), ZoneInfo(definition.timezone))
    start = definition.start_of(watched.period, moment)
    scope = BoardPeriod(
        game_id=watched.game_id,
        board=watched.board,
        period=watched.period,
        period_start=start,
        generation=definition.generation,
    )
    found = board_reads.page(scope, watched.rank_mode, watched.limit)
    return View(
        start=None if watched.period is Period.ALLTIME else start,
        end=definition.end_of(watched.period, moment),
        total=found.total,
        lines=tuple(lines(found, watched.rank_mode, definition.order)),
        read_at=now,
    )


def lines(found: Window, mode: RankMode, order: Order) -> list[Line]:
    """Numbered entries, in rank order from the first place on."""
    scores = [score_at(entry.rank_key, order) for entry in found.lines]
    beside: list[Decimal | None] = [None, *scores, None]
    return [
        Line(
            rank=rank,
            player_id=entry.player_id,
            score=score,
            achieved_at=entry.achieved_at,
            tied=score in (beside[index], beside[index + 2]),
        )
        for index, (rank, entry, score) in enumerate(
            zip(found.ranks(mode), found.lines, scores, strict=True)
        )
    ]


class SharedBoard:
    """One board for all streams of the process that watch it: who comes second need not read."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self._reading = threading.Lock()
        self._definition: Definition | None = None
        self._defined_at = 0.0
        self._view: View | None = None
        self._began = 0.0

    def view(self, *, after: float) -> View:
        """A view whose read began after the moment (monotonic). Raises NoSuchBoard."""
        with self._reading:
            if self._view is None or self._began <= after:
                began = clock.monotonic()
                try:
                    self._view = self._read(began)
                finally:
                    # A stream's thread lives for long; it must not keep a connection idle.
                    if not connection.in_atomic_block:
                        connection.close()
                self._began = began
            return self._view

    def _read(self, began: float) -> View:
        try:
            return read(self.watched, self._defined(began), datetime.now(UTC))
        except BoardSwitched:
            self._definition = None
            return read(self.watched, self._defined(began), datetime.now(UTC))

    def _defined(self, now: float) -> Definition:
        if self._definition is None or now - self._defined_at > _DEFINITION_AGE:
            watched = self.watched
            self._definition = definition_of(watched.game_id, watched.board, watched.period)
            self._defined_at = now
        return self._definition


_shared: Final[WeakValueDictionary[Watched, SharedBoard]] = WeakValueDictionary()
_sharing: Final = threading.Lock()


def shared(watched: Watched) -> SharedBoard:
    """The one SharedBoard of what is watched; it lives as long as somebody holds it."""
    with _sharing:
        board = _shared.get(watched)
        if board is None:
            board = _shared[watched] = SharedBoard(watched)
        return board
