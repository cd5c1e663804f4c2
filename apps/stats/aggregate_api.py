"""Declaring aggregates over HTTP; players' statistics bear what they come to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Schema

from apps.ledger.builds import AnotherBuild
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.stats.aggregate_models import StatDefinition
from apps.stats.aggregate_schema import AggregateIn, RuleIn, VersionOut
from apps.stats.aggregates import Definition
from apps.stats.declaration import (
    AggregateConflict,
    Declared,
    NoSuchAggregate,
    TooManyAggregates,
    change,
    declare,
)
from apps.web.answers import answer
from apps.web.errors import RequestRefused
from apps.web.keys import MANAGEMENT, manager
from apps.web.schemas import GameId, Name, Refusal

router = Router(tags=["statistics"])
READ_REFUSALS: Final = frozenset({400, 401, 403, 503})
REFUSALS: Final = frozenset({400, 401, 403, 404, 409, 503})


class DeclaredAggregateOut(AggregateIn):
    """The aggregate as it is in force; `events` of the log filled this version."""

    status: Literal["success"]
    game_id: str
    version: int
    events: int


class DeclaredAggregatesOut(Schema):
    """The aggregates of a game, by name."""

    game_id: str
    aggregates: list[VersionOut]


@router.get(
    "/games/{game_id}/aggregates", response={200: DeclaredAggregatesOut, READ_REFUSALS: Refusal}
)
def declared_aggregates(request: HttpRequest, game_id: Path[GameId]) -> Any:
    """The aggregates that a game's statistics bear, as they are in force."""
    rows = StatDefinition.objects.filter(game_id=game_id, current=True).order_by("name")
    found = [
        {
            "name": row.name,
            "event_types": row.event_types,
            "pointer": row.pointer,
            "operator": row.operator,
            "version": row.version,
            "changed_by": row.changed_by,
            "changed_at": row.created_at,
            "reason": row.reason,
        }
        for row in rows
    ]
    return {"game_id": game_id, "aggregates": found}


@router.post(
    "/games/{game_id}/aggregates",
    auth=manager,
    response={frozenset({200, 201}): DeclaredAggregateOut, REFUSALS: Refusal},
)
def declare_aggregate(
    request: HttpRequest, game_id: Path[GameId], definition: AggregateIn
) -> HttpResponse:
    """Declare an aggregate of the players' statistics; it is filled from the log.

    Needs the management key. 201: declared; 200: it was declared so already; 409: it is declared
    otherwise, or the game has too many; 503: another build is at work or the log is behind, try
    again (a declaration that was cut off is made or not, and trying again is safe).
    """
    declared = definition.definition(game_id, definition.name)
    made = _made(lambda: declare(declared, by=MANAGEMENT, reason=definition.reason))
    return answer(201 if made.new else 200, _told(declared, made, definition.reason))


@router.put(
    "/games/{game_id}/aggregates/{name}",
    auth=manager,
    response={200: DeclaredAggregateOut, REFUSALS: Refusal},
)
def change_aggregate(
    request: HttpRequest, game_id: Path[GameId], name: Path[Name], definition: RuleIn
) -> HttpResponse:
    """Give a declared aggregate another definition, filled anew from the log.

    Needs the management key. It is a new version, switched at once: until then the former one
    counts and is read.
    """
    declared = definition.definition(game_id, name)
    made = _made(lambda: change(declared, by=MANAGEMENT, reason=definition.reason))
    return answer(200, _told(declared, made, definition.reason))


def _made(make: Callable[[], Declared]) -> Declared:
    """Raises RequestRefused."""
    try:
        return make()
    except AggregateConflict as error:
        raise RequestRefused(409, "aggregate_conflict", str(error), pointer="/name") from error
    except TooManyAggregates as error:
        raise RequestRefused(409, "too_many_aggregates", str(error), pointer="/name") from error
    except NoSuchAggregate as error:
        raise RequestRefused(404, "not_found", str(error), pointer="/name") from error
    except AnotherBuild as error:
        raise RequestRefused(503, "build_running", str(error), retry_after=5) from error
    except LogBehind as error:
        raise RequestRefused(503, "log_behind", str(error), retry_after=5) from error
    except CacheUnavailable as error:
        told = f"it is in force, but Redis has not all copies; try again: {error}"
        raise RequestRefused(503, "cache_unavailable", told, retry_after=5) from error


def _told(definition: Definition, made: Declared, reason: str) -> dict[str, Any]:
    return {
        "status": "success",
        "game_id": definition.game_id,
        "name": definition.name,
        "event_types": list(definition.event_types),
        "pointer": definition.pointer,
        "operator": definition.operator.value,
        "reason": reason,
        "version": made.version,
        "events": made.events,
    }
