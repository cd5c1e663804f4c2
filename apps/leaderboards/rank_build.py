"""Building a board's order in Redis anew: one builder at a time, whoever asks."""

from __future__ import annotations

import logging
import threading
import uuid
from itertools import islice
from typing import Final

from django.db import DatabaseError, connection

from apps.leaderboards import rank_acts, selectors
from apps.leaderboards.rank_index import BATCH, BoardPeriod, Builder, places_of
from apps.ledger.cache import CacheUnavailable

logger = logging.getLogger(__name__)
# Up to here a read waits for its build, some 0.1 s; a greater board is built beside it.
WAITED_FOR: Final = 5_000


def rebuild(scope: BoardPeriod) -> bool:
    """Build the order now; False where another builds it, or the build was lost.

    Raises CacheUnavailable, and what PostgreSQL raises.
    """
    builder = _begun(scope)
    return builder is not None and _build(builder)


def rebuild_soon(scope: BoardPeriod) -> bool:
    """Have the order built; True where it is already: read it again. Raises as `rebuild`."""
    builder = _begun(scope)
    if builder is None:
        return False
    if selectors.entries(scope)[: WAITED_FOR + 1].count() <= WAITED_FOR:
        return _build(builder)
    threading.Thread(target=_build_beside, args=(builder,), name="board-build", daemon=True).start()
    return False


def _begun(scope: BoardPeriod) -> Builder | None:
    builder = Builder(scope, uuid.uuid4().hex)
    return builder if builder.begin() else None


def _build(builder: Builder) -> bool:
    """Build aside from PostgreSQL and rename in, page by page: a board may have millions."""
    # Redis may have been emptied of them.
    rank_acts.fence(builder.scope, selectors.tombstones(builder.scope))
    # One snapshot (a server-side cursor), taken after `begin`: whatever is committed later is
    # written to the build, too.
    rows = selectors.entries(builder.scope).values_list(*selectors.PLACE).iterator(chunk_size=BATCH)
    scope = builder.scope
    generations = {(scope.game_id, scope.board): scope.generation}
    while batch := list(islice(rows, BATCH)):
        if not builder.add(places_of(batch, generations)):
            break
    # Entries of a later generation have no place in this order, which nobody reads any more.
    built = selectors.is_current(scope) and builder.finish()
    if not built:
        logger.warning("board rebuild was overtaken", extra={"board": str(builder.scope)})
    return built


def _build_beside(builder: Builder) -> None:
    try:
        _build(builder)
    except (CacheUnavailable, DatabaseError) as error:
        told = {"board": str(builder.scope), "error": str(error)}
        logger.warning("board rebuild failed", extra=told)
    finally:
        connection.close()
