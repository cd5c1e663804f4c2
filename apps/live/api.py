"""GET /api/v1/games/{game_id}/live: a board's changes as server-sent events."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from ninja import Path, Router
from pydantic import Field

from apps.leaderboards.periods import Period
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.rules import DEFAULT_BOARD
from apps.live.access import demand_watcher
from apps.live.boards import FIRST_DAY, LAST_DAY, NoSuchBoard, Watched, shared
from apps.live.hub import HubFull, hub
from apps.live.streams import Stream
from apps.web.errors import RequestRefused
from apps.web.schemas import GameId, Refusal

router = Router(tags=["live"])
RETRY_AFTER: Final = 10  # seconds
_EVENTS: Final[dict[str, Any]] = {
    "responses": {
        200: {
            "description": "Events `snapshot`, `ranks` and `stats`; comments keep it alive.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
}
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]


def _watcher(request: HttpRequest) -> bool:
    demand_watcher(request)
    return True


@router.get(
    "/games/{game_id}/live",
    auth=_watcher,
    response={frozenset({400, 401, 403, 404, 503}): Refusal},
    openapi_extra=_EVENTS,
)
def watch(
    request: HttpRequest,
    game_id: Path[GameId],
    board: str = DEFAULT_BOARD,
    period: Period = Period.ALLTIME,
    at: Day | None = None,
    limit: Annotated[int, Field(ge=1, le=100)] = 25,
    rank_mode: RankMode = RankMode.ORDINAL,
    scores: Literal["number", "string"] = "number",
) -> HttpResponseBase:
    """The top of a board, then what changes in it, at most ten times a second.

    `snapshot` comes first, whatever `Last-Event-ID` says: the board as it is. `ranks`: `changed`
    lines, each with the rank that it had (`was`, null if it was not among the top), `left` players,
    and the new `total`. `stats`: players of the game with their new totals. 503: this process has
    as many streams as it can serve.
    """
    watched = Watched(
        game_id=game_id, board=board, period=period, limit=limit, day=at, rank_mode=rank_mode
    )
    try:
        box = hub().open(game_id, board, period.value)
    except HubFull as error:
        raise RequestRefused(503, "streams_full", str(error), retry_after=RETRY_AFTER) from error
    try:
        stream = Stream(hub(), box, shared(watched), as_text=scores == "string")
    except NoSuchBoard as error:
        hub().close(box)
        raise RequestRefused(404, "not_found", str(error)) from error
    except BaseException:
        hub().close(box)
        raise
    response = StreamingHttpResponse(stream, content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return response
