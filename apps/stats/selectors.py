"""Reading statistics: from Redis, else from PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db.models import Q

from apps.ledger.cache import CacheUnavailable
from apps.stats import cache
from apps.stats.cache import Statistics
from apps.stats.models import PlayerStatistics

logger = logging.getLogger(__name__)


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
    return [_statistics(row) for row in PlayerStatistics.objects.filter(wanted)]


def _of_row(player_id: str, game_id: str) -> Statistics | None:
    row = PlayerStatistics.objects.filter(player_id=player_id, game_id=game_id).first()
    return None if row is None else _statistics(row)


def _statistics(row: PlayerStatistics) -> Statistics:
    return Statistics(
        version=row.version,
        player_id=row.player_id,
        game_id=row.game_id,
        total_events=row.total_events,
        events=row.event_breakdown,
        first_event_at=row.first_event_at,
        last_event_at=row.last_event_at,
        sessions=row.sessions,
    )
