"""/boards/<game>/<board>/: a board as a page that a studio hangs on a wall."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from apps.leaderboards import selectors
from apps.leaderboards.board_reads import BoardSwitched
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Definition, plain
from apps.live.access import demand_watcher
from apps.live.boards import FIRST_DAY, LAST_DAY, View, Watched, read
from apps.live.movement import Line
from apps.live.numbers import grouped
from apps.web.errors import RequestRefused

# What fits on a screen of 1080 lines without scrolling.
LINES: Final = 10
MAX_LINES: Final = 100
# Characters of a score that gets smaller letters; `board.js` has the same.
LONG: Final = 16
# Everything comes from here, and no script or style is in the page itself.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TABS: Final = {
    Period.ALLTIME: ("All time", "All time"),
    Period.DAILY: ("Today", "Day"),
    Period.WEEKLY: ("This week", "Week"),
    Period.MONTHLY: ("This month", "Month"),
    Period.SEASON: ("This season", "Season"),
}


def show_board(request: HttpRequest, game_id: str, board: str) -> HttpResponseBase:
    """The board as it is, with links to its periods; `board.js` keeps it live.

    Of the query: `period`, `at` (a day; now if absent) and `limit`, as of the API.
    """
    try:
        demand_watcher(request)
    except RequestRefused as refused:
        if refused.status == 401 and not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        return _answer(request, "live/refused.html", {}, 403)
    try:
        return _board_page(request, game_id, board)
    except BoardSwitched:
        return _board_page(request, game_id, board)


def _board_page(request: HttpRequest, game_id: str, board: str) -> HttpResponse:
    boards = {found.name: found for found in selectors.definitions([game_id])[game_id]}
    definition = boards.get(board)
    watched = None if definition is None else _watched(request, definition)
    if definition is None or watched is None:
        named = {"game_id": game_id, "board": board, "boards": sorted(boards)}
        return _answer(request, "live/missing.html", named, 404)
    view = read(watched, definition, datetime.now(UTC))
    return _answer(request, "live/board.html", _shown(watched, definition, view), 200)


def _watched(request: HttpRequest, definition: Definition) -> Watched | None:
    """What the query asks for; None where there is no such thing."""
    asked = request.GET
    try:
        period = Period(asked.get("period", definition.periods[0]))
        day = date.fromisoformat(asked["at"]) if "at" in asked else None
        limit = int(asked.get("limit", LINES))
    except ValueError:
        return None
    if period not in definition.periods or not 1 <= limit <= MAX_LINES:
        return None
    if day is not None and not FIRST_DAY <= day <= LAST_DAY:
        return None
    return Watched(
        game_id=definition.game_id, board=definition.name, period=period, limit=limit, day=day
    )


def _shown(watched: Watched, definition: Definition, view: View) -> dict[str, Any]:
    return {
        "watched": watched,
        "title": "Leaderboard" if watched.board == "default" else watched.board,
        "tabs": list(_tabs(watched, definition)),
        "span": _span(view, definition.timezone),
        "zone": definition.timezone,
        "total": grouped(str(view.total)),
        "rows": [_row(line) for line in view.lines],
        "read_at": view.read_at,
        "stream": _stream(watched),
    }


def _tabs(watched: Watched, definition: Definition) -> Iterable[dict[str, Any]]:
    for period in definition.periods:
        now, then = _TABS.get(period, (period.title(), period.title()))
        asked = {"period": period.value}
        if watched.day is not None:
            asked["at"] = watched.day.isoformat()
        if watched.limit != LINES:
            asked["limit"] = str(watched.limit)
        yield {
            "name": now if watched.day is None else then,
            "address": "?" + urlencode(asked),
            "current": period is watched.period,
        }


def _span(view: View, zone: str) -> str:
    """The days of the period in the board's zone, the last one included; empty for all-time."""
    if view.start is None or view.end is None:
        return ""
    first = view.start.astimezone(ZoneInfo(zone)).date()
    last = (view.end - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
    return first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}"


def _row(line: Line) -> dict[str, Any]:
    score = grouped(plain(line.score))
    return {
        "rank": grouped(str(line.rank)),
        "player_id": line.player_id,
        "score": score.split(","),
        "long": len(score) > LONG,
        "tied": line.tied,
    }


def _stream(watched: Watched) -> str:
    asked = {
        "board": watched.board,
        "period": watched.period.value,
        "limit": str(watched.limit),
        "scores": "string",
    }
    if watched.day is not None:
        asked["at"] = watched.day.isoformat()
    address = reverse("api-1:watch", kwargs={"game_id": watched.game_id})
    return f"{address}?{urlencode(asked)}"


def _answer(
    request: HttpRequest, template: str, context: dict[str, Any], status: int
) -> HttpResponse:
    response = render(request, template, context, status=status)
    response["Content-Security-Policy"] = _POLICY
    response["Cache-Control"] = "no-store"
    return response
