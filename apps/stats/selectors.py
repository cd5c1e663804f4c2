"""Reading statistics: from Redis, else from PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from apps.database import by_key
from apps.database.prepared import Prepared
from apps.ledger.cache import CacheUnavailable
from apps.stats import cache
from apps.stats.aggregate_sql import shown
from apps.stats.cache import Aggregate, Pair, Statistics

logger = logging.getLogger(__name__)
_COLUMNS: Final = (
    *("version", "player_id", "game_id", "total_events", "first_event_at", "last_event_at"),
    "sessions",
)
# The aggregates within the row's own statement: a copy that had the version of one moment and the
# aggregates of an earlier one would stay.
_OF_PLAYERS: Final = Prepared(
    "read_statistics",
    {"players": "text[]", "games": "text[]"},
    f"""
SELECT {", ".join(f"s.{column}" for column in _COLUMNS)}, s.event_breakdown::text,
       {shown("s", "date '-infinity'")}::text
  FROM (SELECT DISTINCT player_id COLLATE "C" AS player_id, game_id COLLATE "C" AS game_id
          FROM unnest(%(players)s, %(games)s) AS asked(player_id, game_id)) AS t
  JOIN player_statistics AS s ON {by_key.found("s", "t", "player_id", "game_id")}
""",
    before=f"SELECT {by_key.INDEXED}",
)
_breakdown: Final = msgspec.json.Decoder(dict[str, int])
_aggregates: Final = msgspec.json.Decoder(dict[str, Aggregate])


def of_player(player_id: str, game_id: str) -> Statistics | None:
    """The player's statistics in the game; None where no event of theirs was applied."""
    claim = cache.token()
    try:
        held = cache.look(game_id, player_id, claim)
    except CacheUnavailable as error:
        logger.warning("statistics read past the cache", extra={"error": str(error)})
        return _of_row(player_id, game_id)
    if held is not None:
        return held
    found = _of_row(player_id, game_id)
    if found is not None:
        try:
            cache.fill(found, claim)
        except CacheUnavailable as error:
            logger.warning("statistics not cached", extra={"error": str(error)})
    return found


def of_players(pairs: Iterable[Pair]) -> list[Statistics]:
    """Committed statistics of (player_id, game_id) pairs."""
    wanted = list(pairs)
    if not wanted:
        return []
    players, games = map(list, zip(*wanted, strict=True))
    return [
        Statistics(
            **dict(zip(_COLUMNS, row[:-2], strict=True)),
            events=_breakdown.decode(row[-2]),
            aggregates=_aggregates.decode(row[-1]),
        )
        for row in _OF_PLAYERS.fetch({"players": players, "games": games})
    ]


def aggregates(found: Any) -> dict[str, Aggregate]:
    """What `aggregate_sql.shown` gives."""
    return msgspec.convert(found, dict[str, Aggregate])


def _of_row(player_id: str, game_id: str) -> Statistics | None:
    return next(iter(of_players([(player_id, game_id)])), None)
