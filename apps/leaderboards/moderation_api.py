"""Quarantine and moderation over HTTP; all of it needs the management key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from django.db import models
from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from apps.leaderboards import moderation
from apps.leaderboards.acts import BoardUnknown, Said
from apps.leaderboards.models import Decision, ModerationAct
from apps.leaderboards.moderation import ActConflict, ActUnknown, ScoreUnknown
from apps.leaderboards.moderation_schemas import (
    ActsOut,
    DecisionOut,
    DoneOut,
    Page,
    PlayerIn,
    QuarantineAsked,
    QuarantineOut,
    RowId,
    ScoresIn,
    SettleIn,
    UndoIn,
)
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.web.answers import answer
from apps.web.errors import RequestRefused
from apps.web.keys import MANAGEMENT, manager
from apps.web.schemas import GameId, Refusal

router = Router(tags=["moderation"], auth=manager)
REFUSALS: Final = frozenset({400, 401, 403, 404, 409, 503})
_DONE: Final[dict[Any, Any]] = {200: DoneOut, REFUSALS: Refusal}
Row = TypeVar("Row", bound=models.Model)


@router.get("/games/{game_id}/quarantine", response={200: QuarantineOut, REFUSALS: Refusal})
def list_quarantine(
    request: HttpRequest, game_id: Path[GameId], asked: Query[QuarantineAsked]
) -> HttpResponse:
    """Scores that broke a bound of their board, or were removed; the newest first."""
    rows = Decision.objects.filter(game_id=game_id, state=asked.state)
    found, onward = _page(rows, asked)
    names = list(DecisionOut.model_fields)
    decisions = [{name: getattr(row, name) for name in names} for row in found]
    return answer(200, {"decisions": decisions, "next": onward})


@router.post("/games/{game_id}/quarantine/release", response=_DONE)
def release_scores(request: HttpRequest, game_id: Path[GameId], body: SettleIn) -> HttpResponse:
    """Have them count, at their event times, whatever the bounds say."""
    said = Said(by=MANAGEMENT, reason=body.reason)
    return _done(lambda: moderation.settle(game_id, body.ids, Decision.RELEASED, said))


@router.post("/games/{game_id}/quarantine/remove", response=_DONE)
def confirm_removal(request: HttpRequest, game_id: Path[GameId], body: SettleIn) -> HttpResponse:
    """Have them never count."""
    said = Said(by=MANAGEMENT, reason=body.reason)
    return _done(lambda: moderation.settle(game_id, body.ids, Decision.REMOVED, said))


@router.get("/games/{game_id}/moderation", response={200: ActsOut, REFUSALS: Refusal})
def list_acts(request: HttpRequest, game_id: Path[GameId], asked: Query[Page]) -> HttpResponse:
    """What was done to players and scores, by whom, when and why; the newest first."""
    found, onward = _page(ModerationAct.objects.filter(game_id=game_id), asked)
    return answer(200, {"acts": [_told(act) for act in found], "next": onward})


@router.post("/games/{game_id}/moderation/hide", response=_DONE)
def hide_player(request: HttpRequest, game_id: Path[GameId], body: PlayerIn) -> HttpResponse:
    """Take a player off a board, or off all boards of the game; scores are kept, not shown."""
    said = Said(by=MANAGEMENT, reason=body.reason)
    return _done(lambda: [moderation.hide(game_id, body.player_id, body.board, said)])


@router.post("/games/{game_id}/moderation/unhide", response=_DONE)
def unhide_player(request: HttpRequest, game_id: Path[GameId], body: PlayerIn) -> HttpResponse:
    """Undo `hide` of the same player and board; what came meanwhile counts."""
    said = Said(by=MANAGEMENT, reason=body.reason)
    return _done(lambda: [moderation.unhide(game_id, body.player_id, body.board, said)])


@router.post("/games/{game_id}/moderation/remove", response=_DONE)
def remove_scores(request: HttpRequest, game_id: Path[GameId], body: ScoresIn) -> HttpResponse:
    """Take events off a board: all of them, or none where one does not count there (404)."""
    said = Said(by=MANAGEMENT, reason=body.reason)
    ids = [str(event_id) for event_id in body.event_ids]
    return _done(lambda: moderation.remove(game_id, body.board, ids, said))


@router.post("/games/{game_id}/moderation/{act_id}/undo", response=_DONE)
def undo_act(
    request: HttpRequest, game_id: Path[GameId], act_id: Path[RowId], body: UndoIn
) -> HttpResponse:
    """Undo an act. 409: it was undone, or another followed that it would undo too."""
    said = Said(by=MANAGEMENT, reason=body.reason)
    return _done(lambda: [moderation.undo(game_id, act_id, said)])


def _page(rows: models.QuerySet[Row], asked: Page) -> tuple[list[Row], int | None]:
    wanted = {"player_id": asked.player_id, "board": asked.board, "pk__lt": asked.cursor}
    given = {name: value for name, value in wanted.items() if value is not None}
    found = list(rows.filter(**given).order_by("-pk")[: asked.limit + 1])
    more = len(found) > asked.limit
    return found[: asked.limit], found[asked.limit - 1].pk if more else None


def _done(do: Callable[[], Sequence[ModerationAct | None]]) -> HttpResponse:
    """Raises RequestRefused."""
    try:
        acts = do()
    except (BoardUnknown, ActUnknown, ScoreUnknown) as error:
        raise RequestRefused(404, "not_found", str(error)) from error
    except ActConflict as error:
        raise RequestRefused(409, "act_conflict", str(error)) from error
    except LogBehind as error:
        raise RequestRefused(503, "log_behind", str(error), retry_after=5) from error
    except CacheUnavailable as error:
        told = "Redis does not answer, and would show what the act takes away; try again"
        raise RequestRefused(503, "cache_unavailable", told, retry_after=5) from error
    told_acts = [_told(ModerationAct.objects.get(pk=act.pk)) for act in acts if act is not None]
    return answer(200, {"status": "success", "acts": told_acts})


def _told(act: ModerationAct) -> dict[str, Any]:
    return {
        "id": act.pk,
        "board": act.board,
        "player_id": act.player_id,
        "event_id": act.event_id,
        "action": act.action,
        "before": act.before,
        "after": act.after,
        "actor": act.actor,
        "acted_at": act.acted_at,
        "reason": act.reason,
        "undo_of": act.undo_of_id,
    }
