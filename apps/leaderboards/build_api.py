"""Changing boards over HTTP: asked for, looked at, switched or cancelled."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from apps.leaderboards import changes
from apps.leaderboards.board_schema import BoardIn, BoardInvalid
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.build_schemas import AskedOut, BuildsOut, ChangeAsked
from apps.leaderboards.changes import BuildPending, BuildSettled, NothingToChange
from apps.leaderboards.rebuild import NoSuchBoard
from apps.web.answers import answer
from apps.web.errors import RequestRefused
from apps.web.keys import MANAGEMENT, manager
from apps.web.schemas import GameId, Name, Refusal

router = Router(tags=["leaderboards"])
REFUSALS: Final = frozenset({400, 401, 403, 404, 409, 503})
# Of a board's builds: the newest.
_LISTED: Final = 50
_ADDRESS: Final = "/games/{game_id}/leaderboards/{name}"


@router.put(_ADDRESS, auth=manager, response={frozenset({200, 202}): AskedOut, REFUSALS: Refusal})
def change_board(
    request: HttpRequest,
    game_id: Path[GameId],
    name: Path[Name],
    definition: BoardIn,
    asked: Query[ChangeAsked],
) -> HttpResponse:
    """Ask for a declared board to be as the body says; it is read as it was until the switch.

    The new board is built from the log: here where few events count on it, else by
    `manage.py board build`. A build that is `ready` has a `report` of what would change, and waits
    for `/switch`; with `?switch=true` it is switched once it is built. 200: it is built; 202: it
    waits for a builder. 404: no such declared board; 409 `unchanged`: it is so already,
    `build_pending`: another change is under way.
    """
    if definition.name != name:
        raise RequestRefused(400, "name_differs", "a board keeps its name", pointer="/name")
    try:
        build = changes.ask(
            definition.definition(game_id),
            by=MANAGEMENT,
            reason=definition.reason,
            approved=asked.switch,
        )
    except BoardInvalid as error:
        raise RequestRefused(400, error.code, str(error), pointer=error.pointer) from error
    except NoSuchBoard as error:
        raise RequestRefused(404, "not_found", str(error)) from error
    except NothingToChange as error:
        raise RequestRefused(409, "unchanged", str(error)) from error
    except BuildPending as error:
        raise RequestRefused(409, "build_pending", str(error)) from error
    return told(changes.run_soon(build))


@router.get(_ADDRESS + "/builds", auth=manager, response={200: BuildsOut, REFUSALS: Refusal})
def list_builds(request: HttpRequest, game_id: Path[GameId], name: Path[Name]) -> HttpResponse:
    """The changes of a board, with their reports."""
    of_board = BoardBuild.objects.filter(game_id=game_id, board=name).exclude(definition="")
    newest = of_board.order_by("-pk")[:_LISTED]
    return answer(200, {"builds": [changes.told(build) for build in newest]})


@router.get(
    _ADDRESS + "/builds/{int:number}",
    auth=manager,
    response={200: AskedOut, REFUSALS: Refusal},
)
def read_build(
    request: HttpRequest, game_id: Path[GameId], name: Path[Name], number: int
) -> HttpResponse:
    """A change of the board."""
    return answer(200, {"status": "success", "build": changes.told(_found(game_id, name, number))})


@router.post(
    _ADDRESS + "/builds/{int:number}/switch",
    auth=manager,
    response={frozenset({200, 202}): AskedOut, REFUSALS: Refusal},
)
def switch_build(
    request: HttpRequest, game_id: Path[GameId], name: Path[Name], number: int
) -> HttpResponse:
    """Have the board be the one that was built. 200: it is; 202: once a builder has built it.

    409 `build_settled`: it is switched, cancelled or failed.
    """
    build = _found(game_id, name, number)
    try:
        build = changes.approve(build.pk)
    except BuildSettled as error:
        raise RequestRefused(409, "build_settled", str(error)) from error
    return told(changes.run_soon(build))


@router.post(
    _ADDRESS + "/builds/{int:number}/cancel",
    auth=manager,
    response={200: AskedOut, REFUSALS: Refusal},
)
def cancel_build(
    request: HttpRequest, game_id: Path[GameId], name: Path[Name], number: int
) -> HttpResponse:
    """Give the change up. 409 `build_settled`: it is switched, cancelled or failed."""
    build = _found(game_id, name, number)
    try:
        build = changes.cancel(build.pk)
    except BuildSettled as error:
        raise RequestRefused(409, "build_settled", str(error)) from error
    return answer(200, {"status": "success", "build": changes.told(build)})


def told(build: BoardBuild) -> HttpResponse:
    """200 where it is built, or has failed; 202 where it waits."""
    waits = build.state in (BoardBuild.ASKED, BoardBuild.BUILDING)
    return answer(202 if waits else 200, {"status": "success", "build": changes.told(build)})


def _found(game_id: str, name: str, number: int) -> BoardBuild:
    """Raises RequestRefused (404)."""
    found = BoardBuild.objects.exclude(definition="")
    build = found.filter(pk=number, game_id=game_id, board=name).first()
    if build is None:
        raise RequestRefused(404, "not_found", f"board {name!r} has no build {number}")
    return build
