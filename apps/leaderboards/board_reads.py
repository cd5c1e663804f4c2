"""Reading a board: from Redis, and where it cannot answer the very same from PostgreSQL.

All raise BoardSwitched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from apps.leaderboards import rank_build, rank_reads, row_reads
from apps.leaderboards.cursors import Seek
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.rank_reads import OrderIncomplete, TooDeep
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.row_reads import BoardSwitched as BoardSwitched
from apps.leaderboards.windows import Found, Window
from apps.ledger.cache import CacheUnavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")


def page(scope: BoardPeriod, mode: RankMode, limit: int, seek: Seek | None = None) -> Window:
    """`limit` entries from the top, or on one side of a place; in rank order either way."""
    return _read(
        scope,
        lambda: rank_reads.page(scope, mode, limit, seek),
        lambda: row_reads.page(scope, mode, limit, seek),
    )


def around(scope: BoardPeriod, mode: RankMode, player_id: str, each: int) -> Window | None:
    """A player's entry with `each` neighbours on both sides, shifted at the edges of the board.

    None where the player has no entry.
    """
    return _read(
        scope,
        lambda: rank_reads.around(scope, mode, player_id, each),
        lambda: row_reads.around(scope, mode, player_id, each),
    )


def lookup(scope: BoardPeriod, mode: RankMode, player_ids: Sequence[str]) -> Found:
    """The entries of these players, which are all different, in rank order."""
    return _read(
        scope,
        lambda: rank_reads.lookup(scope, mode, player_ids),
        lambda: row_reads.lookup(scope, mode, player_ids),
    )


def _read(scope: BoardPeriod, from_redis: Callable[[], T], from_rows: Callable[[], T]) -> T:
    try:
        try:
            return from_redis()
        except OrderIncomplete:
            if rank_build.rebuild_soon(scope):
                return from_redis()
    except TooDeep:
        pass
    except OrderIncomplete:
        logger.warning("board lost again", extra={"board": str(scope)})
    except CacheUnavailable as error:
        logger.warning("board read past the cache", extra={"error": str(error)})
    return from_rows()
