"""Declaring boards over HTTP; reading them is in read_api."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from apps.leaderboards import changes
from apps.leaderboards.board_schema import BoardIn, BoardInvalid, told
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.build_schemas import AskedOut
from apps.leaderboards.changes import BuildPending
from apps.leaderboards.declaration import BoardConflict
from apps.leaderboards.selectors import version_of
from apps.ledger.coverage import LogBehind
from apps.web.answers import answer
from apps.web.errors import RequestRefused
from apps.web.keys import MANAGEMENT, manager
from apps.web.schemas import GameId, Refusal

router = Router(tags=["leaderboards"])
REFUSALS = frozenset({400, 401, 403, 404, 409, 503})


class DeclaredOut(BoardIn):
    """The board as it is declared now."""

    status: Literal["success"]
    game_id: str
    version: int


@router.post(
    "/games/{game_id}/leaderboards",
    auth=manager,
    response={frozenset({200, 201}): DeclaredOut, 202: AskedOut, REFUSALS: Refusal},
)
def declare_board(request: HttpRequest, game_id: Path[GameId], definition: BoardIn) -> HttpResponse:
    """Declare a board; it is filled from the log. Needs the management key.

    201: declared; 200: it was declared so already; 202: the log has so many of its events that
    `manage.py board build` has to fill it, and the board is there when that is done; 409: it is
    declared otherwise (change it by PUT), or its build is under way; 503: the log is behind the
    boards, try again.
    """
    try:
        declared = definition.definition(game_id)
        new = changes.declare_or_ask(declared, by=MANAGEMENT, reason=definition.reason)
    except BoardInvalid as error:
        raise RequestRefused(400, error.code, str(error), pointer=error.pointer) from error
    except BoardConflict as error:
        raise RequestRefused(409, "board_conflict", str(error), pointer="/name") from error
    except BuildPending as error:
        raise RequestRefused(409, "build_pending", str(error), pointer="/name") from error
    except LogBehind as error:
        raise RequestRefused(503, "log_behind", str(error), retry_after=5) from error
    if isinstance(new, BoardBuild):
        return answer(202, {"status": "success", "build": changes.told(new)})
    body: dict[str, Any] = {"status": "success", "game_id": game_id, **told(declared)}
    return answer(201 if new else 200, {**body, "version": version_of(declared)})
