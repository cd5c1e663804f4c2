"""Building a board's order in Redis anew: one builder at a time, whoever asks."""

from __future__ import annotations

import logging
import threading
import uuid
from itertools import islice
from typing import Final

from django.db import DatabaseError, connection

from apps.leaderboards.models import Entry, EntryQuerySet
from apps.leaderboards.rank_index import BoardPeriod, Builder, Place
from apps.ledger.cache import CacheUnavailable, client, outages

logger = logging.getLogger(__name__)
# Up to here a read waits for its build, some 0.1 s; a greater board is built beside it.
WAITED_FOR: Final = 5_000
# Milliseconds that a builder may be silent. A build that failed is not tried again before that.
LOCK_MS: Final = 30_000
_PAGE: Final = 2_000
_COLUMNS: Final = (
    *("game_id", "board", "period", "period_start", "player_id"),
    *("rank_key", "achieved_at", "version"),
)
# Seconds that an abandoned build takes up room.
_ABANDONED: Final = 600
# KEYS: building, then what is built. ARGV: token, milliseconds (0: leave), seconds.
# Only who holds the lock can do either.
_KEEP: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[3])
  redis.call('EXPIRE', KEYS[3], ARGV[3])
end
return 1
"""


def rebuild(scope: BoardPeriod) -> bool:
    """Build the order now; False where another builds it, or took the build over.

    Raises CacheUnavailable, and what PostgreSQL raises.
    """
    lock = Lock(scope)
    return lock.take() and _build(scope, lock)


def rebuild_soon(scope: BoardPeriod) -> bool:
    """Have the order built; True where it is already: read it again. Raises as `rebuild`."""
    lock = Lock(scope)
    if not lock.take():
        return False
    if _entries(scope)[: WAITED_FOR + 1].count() <= WAITED_FOR:
        return _build(scope, lock)
    threading.Thread(
        target=_build_beside, args=(scope, lock), name="board-build", daemon=True
    ).start()
    return False


class Lock:
    """Who builds; a builder that died is followed after LOCK_MS."""

    def __init__(self, scope: BoardPeriod) -> None:
        rank, _, *self.built = scope.keys()
        self.key = rank.removesuffix("rank") + "building"
        self.token = uuid.uuid4().hex

    def take(self) -> bool:
        with outages():
            return bool(client().set(self.key, self.token, nx=True, px=LOCK_MS))

    def keep(self, milliseconds: int) -> bool:
        with outages():
            keys = [self.key, *self.built]
            found = client().eval(_KEEP, 3, *keys, self.token, milliseconds, _ABANDONED)
        return bool(found)


def _build(scope: BoardPeriod, lock: Lock) -> bool:
    """Build aside from PostgreSQL and rename in, page by page: a board may have millions."""
    builder = Builder(scope, lock.token)
    builder.begin()
    # One snapshot, taken after `begin`: whatever is committed later is written to the build, too.
    rows = _entries(scope).values_list(*_COLUMNS).iterator(chunk_size=_PAGE)
    while places := [Place.of_row(row) for row in islice(rows, _PAGE)]:
        builder.add(places)
        if not lock.keep(LOCK_MS):
            break
    built = builder.finish()
    if built:
        lock.keep(0)
    else:
        logger.warning("board rebuild was overtaken", extra={"board": str(scope)})
    return built


def _build_beside(scope: BoardPeriod, lock: Lock) -> None:
    try:
        _build(scope, lock)
    except (CacheUnavailable, DatabaseError) as error:
        logger.warning("board rebuild failed", extra={"board": str(scope), "error": str(error)})
    finally:
        connection.close()


def _entries(scope: BoardPeriod) -> EntryQuerySet:
    return Entry.objects.filter(
        game_id=scope.game_id,
        board=scope.board,
        period=scope.period,
        period_start=scope.period_start,
    )
