"""Changing a board after its launch: asked for, built beside the live one, looked at, switched.

A build that is `ready` keeps nothing but its report: to switch it is to build it once more, so that
nobody has to hold tables, or a process, until somebody has decided.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from apps.leaderboards import board_store, build_report, builds, selectors
from apps.leaderboards.board_schema import as_json, definition_of_text
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.builds import Cancelled
from apps.leaderboards.construction import Construction, Overtaken, constructed
from apps.leaderboards.declaration import declare
from apps.leaderboards.models import Board
from apps.leaderboards.rebuild import (
    NoSuchBoard,
    finish_former,
    hold_still,
    recount,
    refresh,
    settle_switch,
    switch_entries,
)
from apps.leaderboards.refill import forget_judgements, refill
from apps.leaderboards.rules import Definition
from apps.ledger.builds import AnotherBuild
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.operations.steps import Display, Silent

logger = logging.getLogger(__name__)

# Events of the log up to which a board is built by the request that asks for it: below a second.
SMALL: Final = 20_000
PENDING: Final = (BoardBuild.ASKED, BoardBuild.BUILDING, BoardBuild.READY)
_MATCHING: Final = """
SELECT count(*) FROM (
  SELECT 1 FROM events WHERE game_id = %s AND event_type = ANY(%s) LIMIT %s) AS found
"""


class NothingToChange(Exception):
    """The board is defined so already."""


class BuildPending(Exception):
    """Another change of this board is under way: switch or cancel it first."""


class BuildSettled(Exception):
    """The build is over, or was never asked for: there is nothing to switch or to cancel."""


def is_small(definition: Definition) -> bool:
    """Whether so few events can count on the board that a request may build it."""
    with connection.cursor() as cursor:
        types = sorted(definition.scoring)
        cursor.execute(_MATCHING, [definition.game_id, types, SMALL + 1])
        return bool(cursor.fetchone()[0] <= SMALL)


def ask(
    definition: Definition, *, by: str, reason: str = "", approved: bool = False, new: bool = False
) -> BoardBuild:
    """Ask for a change of the board, or for a `new` one; `approved`: switched once it is built.

    Raises NoSuchBoard, NothingToChange, BuildPending.
    """
    held = Board.objects.filter(game_id=definition.game_id, name=definition.name).first()
    if held is None and not new:
        told = f"{definition.game_id!r} has no declared board {definition.name!r}"
        raise NoSuchBoard(told)
    if held is not None and selectors.definition(held) == definition:
        raise NothingToChange(NothingToChange.__doc__)
    try:
        with transaction.atomic():
            return BoardBuild.objects.create(
                game_id=definition.game_id,
                board=definition.name,
                definition=as_json(definition),
                version=0 if held is None else held.version,
                state=BoardBuild.ASKED,
                approved=approved,
                asked_by=by,
                reason=reason,
            )
    except IntegrityError as error:
        raise BuildPending(BuildPending.__doc__) from error


def approve(build_id: int) -> BoardBuild:
    """Have it switched once it is built, or built again. Raises BuildSettled."""
    if not BoardBuild.objects.filter(_pending(), pk=build_id).update(approved=True):
        raise BuildSettled(BuildSettled.__doc__)
    return BoardBuild.objects.get(pk=build_id)


def cancel(build_id: int) -> BoardBuild:
    """Give it up; a builder that is at it ends. Raises BuildSettled."""
    cancelled = BoardBuild.objects.filter(_pending(), pk=build_id).update(
        state=BoardBuild.CANCELLED
    )
    if not cancelled:
        raise BuildSettled(BuildSettled.__doc__)
    return BoardBuild.objects.get(pk=build_id)


def _pending() -> Q:
    return Q(state__in=PENDING) & ~Q(definition="")


def waiting() -> list[BoardBuild]:
    """What a builder has to do, the oldest first; what another is at, or has died of, included."""
    mine = Q(state__in=(BoardBuild.ASKED, BoardBuild.BUILDING)) | Q(
        state=BoardBuild.READY, approved=True
    )
    return list(BoardBuild.objects.filter(mine & ~Q(definition="")).order_by("pk"))


def run(build_id: int, display: Display) -> BoardBuild:
    """Build it: up to its report, or where it is approved up to the switch.

    Raises AnotherBuild, LogBehind (it stays asked for), Overtaken, Cancelled, CacheUnavailable (it
    is switched then, and the next build brings Redis what is left), BuildSettled.
    """
    with builds.alone():
        finish_former()
        build = next((found for found in waiting() if found.pk == build_id), None)
        if build is None:
            raise BuildSettled(BuildSettled.__doc__)
        definition = definition_of_text(str(build.game_id), build.definition)
        with constructed(
            lambda: build,
            lambda: {definition.game_id: [definition]},
            display,
            game_id=definition.game_id,
            types=sorted(definition.scoring),
        ) as found:
            report = build_report.difference(definition)
            if not _tell(found, report):
                _switch(found, definition, report)
        build.refresh_from_db()
        if build.state == BoardBuild.SWITCHED:
            refresh(build, display)
            build.refresh_from_db()
    logger.info("board built", extra={"build": build.pk, "state": build.state})
    return build


def run_soon(build: BoardBuild) -> BoardBuild:
    """Build it now where that is soon done; else, and where it cannot be now, it waits."""
    definition = definition_of_text(str(build.game_id), build.definition)
    if is_small(definition):
        try:
            return run(build.pk, Silent())
        except (AnotherBuild, LogBehind, Overtaken, Cancelled, CacheUnavailable) as error:
            logger.warning("board not built now", extra={"build": build.pk, "error": str(error)})
    build.refresh_from_db()
    return build


def declare_or_ask(definition: Definition, *, by: str, reason: str = "") -> bool | BoardBuild:
    """Declare a board, at once where few events are to be read: whether it is new.

    With many events it is asked for: a build, after which the board is there. Raises BoardConflict,
    LogBehind, BuildPending.
    """
    there = Board.objects.filter(game_id=definition.game_id, name=definition.name).exists()
    if there or is_small(definition):
        return declare(definition, by=by, reason=reason)
    return ask(definition, by=by, reason=reason, approved=True, new=True)


def _tell(found: Construction, report: dict[str, Any]) -> bool:
    """Leave it ready, with its report; False where it is approved and to be switched."""
    BoardBuild.objects.filter(pk=found.build.pk).update(report=report)
    unapproved = BoardBuild.objects.filter(pk=found.build.pk, approved=False)
    if not unapproved.exists():
        return False
    told = {"events": found.events, "refused": found.folding.refused}
    entries = report["entries"]
    told["changed"] = entries["added"] + entries["gone"] + entries["changed"]
    if not builds.left(found.build, BoardBuild.READY, **told):
        raise Cancelled(Cancelled.__doc__)
    return True


def _switch(found: Construction, definition: Definition, report: dict[str, Any]) -> None:
    """One transaction: from its commit on, reads and scores know the board as it was built."""
    build = found.build
    with transaction.atomic():
        hold_still(found)
        held = Board.objects.filter(game_id=definition.game_id, name=definition.name).first()
        if (0 if held is None else held.version) != build.version:
            raise Overtaken(Overtaken.__doc__)
        if held is None:
            board_store.declared(definition, build.asked_by, build.reason)
        else:
            board_store.changed(held, definition, build.asked_by, build.reason)
        stored = selectors.definition_of(definition.game_id, definition.name)
        assert stored is not None
        _write(found, stored)
        settle_switch(found)


def _write(found: Construction, stored: Definition) -> None:
    """The entries of the board that is defined so now."""
    if stored.bounds is not None:
        # Of one score after the other, in the order of event time: that was not to be built.
        refill(stored)
        return
    forget_judgements(stored)
    switch_entries(stored, stones=False)
    recount(found, stored)


def told(build: BoardBuild) -> dict[str, Any]:
    """The build in words of JSON, with the definition that it makes."""
    return {
        "id": build.pk,
        "game_id": build.game_id,
        "board": build.board,
        "state": build.state,
        "approved": build.approved,
        "definition": msgspec.Raw(build.definition.encode()) if build.definition else None,
        "changes_version": build.version,
        "asked_by": build.asked_by,
        "reason": build.reason,
        "error": build.error,
        "events": build.events,
        "refused": build.refused,
        "changed": build.changed,
        "report": build.report,
        "created_at": build.created_at,
        "started_at": build.started_at,
        "switched_at": build.switched_at,
    }
