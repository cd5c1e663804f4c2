"""The copies of statistics in Redis, as tests look at them: without a claim."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from apps.ledger.cache import client
from apps.stats import cache
from apps.stats.cache import Statistics
from tests.builders import NOW


def read_before(game_id: str, player_ids: Iterable[str]) -> None:
    """Leave what a reader of long ago left: copies that every change replaces."""
    for player_id in player_ids:
        claim = cache.token()
        cache.look(game_id, player_id, claim)
        cache.fill(of_long_ago(game_id, player_id), claim)


def of_long_ago(game_id: str, player_id: str) -> Statistics:
    """A copy that every change replaces."""
    return Statistics(
        version=0,
        player_id=player_id,
        game_id=game_id,
        total_events=0,
        events={},
        first_event_at=NOW,
        last_event_at=NOW,
    )


def copy_of(game_id: str, player_id: str) -> Statistics | None:
    """The copy that Redis holds; None where there is none, or a reader's token."""
    held = client().get(cache.key(game_id, player_id))
    if not isinstance(held, bytes) or cache.is_token(held):
        return None
    return msgspec.json.decode(held, type=Statistics)


def counted(game_id: str, player_ids: Iterable[str]) -> list[int | None]:
    """How many events each player has by the copy; None where there is no copy."""
    copies = [copy_of(game_id, player_id) for player_id in player_ids]
    return [None if copy is None else copy.total_events for copy in copies]
