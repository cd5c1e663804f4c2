"""Reading statistics: from Redis, else from PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from django.db.models import F, JSONField, Q
from django.db.models.expressions import RawSQL

from apps.ledger.cache import CacheUnavailable
from apps.stats import cache
from apps.stats.aggregate_sql import shown
from apps.stats.cache import Aggregate, Statistics
from apps.stats.models import PlayerStatistics

logger = logging.getLogger(__name__)
# Within the row's own statement: a copy that had the version of one moment and the aggregates of
# an earlier one would stay.
_AGGREGATES: Final = shown("player_statistics", "date '-infinity'")


def of_player(player_id: str, game_id: str) -> Statistics | None:
    """The player's statistics in the game; None where no event of theirs was applied."""
    try:
        held = cache.get(game_id, player_id)
    except CacheUnavailable as error:
        logger.warning("statistics read past the cache", extra={"error": str(error)})
        return _of_row(player_id, game_id)
    if held is not None:
        return held
    found = _of_row(player_id, game_id)
    if found is not None:
        try:
            cache.put([found])
        except CacheUnavailable as error:
            logger.warning("statistics not cached", extra={"error": str(error)})
    return found


def of_players(pairs: Iterable[tuple[str, str]]) -> list[Statistics]:
    """Committed statistics of (player_id, game_id) pairs."""
    games: dict[str, set[str]] = {}
    for player_id, game_id in pairs:
        games.setdefault(game_id, set()).add(player_id)
    if not games:
        return []
    wanted = Q(pk__in=[])
    for game_id, players in games.items():
        wanted |= Q(game_id=game_id, player_id__in=players)
    return _statistics(wanted)


def aggregates(found: Any) -> dict[str, Aggregate]:
    """What `aggregate_sql.shown` gives."""
    return msgspec.convert(found, dict[str, Aggregate])


def _of_row(player_id: str, game_id: str) -> Statistics | None:
    return next(iter(_statistics(Q(player_id=player_id, game_id=game_id))), None)


def _statistics(wanted: Q) -> list[Statistics]:
    rows = PlayerStatistics.objects.filter(wanted).values(
        *("version", "player_id", "game_id", "total_events", "first_event_at", "last_event_at"),
        "sessions",
        events=F("event_breakdown"),
        aggregates=RawSQL(_AGGREGATES, (), output_field=JSONField()),
    )
    return [Statistics(**{**row, "aggregates": aggregates(row["aggregates"])}) for row in rows]
