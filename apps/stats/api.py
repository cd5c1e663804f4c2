"""Reading statistics over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Path, Query, Router, Schema

from apps.stats import selectors
from apps.web.errors import RequestRefused
from apps.web.schemas import GameId, PlayerId, Refusal

router = Router(tags=["statistics"])


class StatisticsOut(Schema):
    """Statistics of a player in a game; times are UTC event times."""

    player_id: str
    game_id: str
    total_events: int
    events: dict[str, int]
    first_event_at: datetime
    last_event_at: datetime


@router.get(
    "/players/{player_id}/stats",
    response={200: StatisticsOut, frozenset({400, 401, 403, 404}): Refusal},
)
def player_statistics(
    request: HttpRequest, player_id: Path[PlayerId], game_id: Query[GameId]
) -> Any:
    """What a player did in a game: all events, by type, and when."""
    found = selectors.of_player(player_id, game_id)
    if found is None:
        raise RequestRefused(404, "not_found", f"no event of {player_id!r} in {game_id!r}")
    return found
