"""Boards built anew from the log as they are defined, beside the live ones, and switched."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any, Final

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.contract.queues import Consumer
from apps.hints import announce
from apps.leaderboards import build_sql, builds, rank_build, rank_index, selectors
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.builds import Cancelled
from apps.leaderboards.construction import Boards, Construction, constructed
from apps.leaderboards.locks import hold_scores_still
from apps.leaderboards.models import Entry
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod, places_of
from apps.leaderboards.recompute import recompute
from apps.leaderboards.rules import Definition
from apps.ledger.builds import IMPATIENT
from apps.ledger.coverage import wait_for_the_log
from apps.operations.steps import Display, step

logger = logging.getLogger(__name__)
# Copies in Redis a step.
_COPIES: Final = 1_000


class NoSuchBoard(LookupError):
    """The game has no such board."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """What a rebuild did: events read, those without a score that their board takes, entries."""

    events: int
    refused: int
    changed: int
    seconds: float
    still: float  # seconds in which no score was applied


def rebuild(game_id: str | None, board: str | None, display: Display) -> Rebuilt:
    """Build a board, a game's or all anew; scores go on coming in and being read.

    Raises NoSuchBoard, AnotherBuild, LogBehind, Cancelled, CacheUnavailable (the boards are
    switched then, and the next rebuild brings Redis what they are). Killed at any point, it leaves
    the live ones as they are or as they were to be. A board that is defined anew meanwhile is left.
    """
    began = time.monotonic()
    targets = _targets(game_id, board)
    if board is not None and not targets:
        raise NoSuchBoard(f"{game_id!r} has no board {board!r}")
    types = (
        None if board is None else sorted(d for found in targets.values() for d in found[0].scoring)
    )
    with builds.alone():
        finish_former()
        with constructed(
            lambda: BoardBuild.objects.create(
                game_id=game_id, board=board, state=BoardBuild.ASKED, approved=True
            ),
            lambda: _targets(game_id, board),
            display,
            game_id=game_id,
            types=types,
        ) as found:
            changed, still = _switch(found)
        refresh(found.build, display)
    seconds = time.monotonic() - began
    logger.info("boards rebuilt", extra={"events": found.events, "changed": changed})
    return Rebuilt(
        events=found.events,
        refused=found.folding.refused,
        changed=changed,
        seconds=seconds,
        still=still,
    )


def _targets(game_id: str | None, board: str | None) -> Boards:
    with connection.cursor() as cursor:
        cursor.execute(build_sql.GAMES)
        games = [game_id] if game_id is not None else [row[0] for row in cursor.fetchall()]
    found = selectors.definitions(games)
    wanted = {
        game: [d for d in boards if board in (None, d.name)] for game, boards in found.items()
    }
    return {game: boards for game, boards in wanted.items() if boards}


def _switch(found: Construction) -> tuple[int, float]:
    """Entries changed, and the seconds in which no score was applied."""
    with transaction.atomic():
        began = hold_still(found)
        unchanged = selectors.definitions(found.boards)
        for game_id, definitions in found.boards.items():
            for definition in definitions:
                if definition in unchanged[game_id]:
                    switch_entries(definition, stones=True)
                    recount(found, definition)
        changed = settle_switch(found)
    return changed, time.monotonic() - began


def hold_still(found: Construction) -> float:
    """Let no score be applied until this transaction ends, and add what came until now."""
    with connection.cursor() as cursor:
        cursor.execute(f"{build_sql.SET_BASED}; {IMPATIENT}")
    hold_scores_still()
    began = time.monotonic()
    wait_for_the_log(Consumer.LEADERBOARDS)
    found.finish()
    return began


def switch_entries(definition: Definition, *, stones: bool) -> None:
    """Have the board's entries be those that were built.

    `stones`: its orders in Redis go on, where what is gone needs a tombstone (decision 0050).
    """
    values: dict[str, Any] = {"game_id": definition.game_id, "board": definition.name}
    values["stones"] = stones
    with connection.cursor() as cursor:
        cursor.execute(build_sql.SWITCH, values)
        cursor.execute(build_sql.NEWER, values)


def recount(found: Construction, definition: Definition) -> None:
    """Whom people have hidden, or whose scores they decided upon, since the build was opened."""
    players = found.folding.rulings.acted_upon(definition)
    if players:
        recompute(definition, players)
        values: dict[str, Any] = {"game_id": definition.game_id, "board": definition.name}
        with connection.cursor() as cursor:
            cursor.execute(build_sql.RECOUNTED, {**values, "players": players})


def settle_switch(found: Construction) -> int:
    """Within the transaction of the switch; how many entries changed. Raises Cancelled."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM built_changes")
        (changed,) = cursor.fetchone()
        cursor.execute(build_sql.LOST)
        stale = [[*row[:3], row[3].astimezone(UTC).isoformat()] for row in cursor.fetchall()]
    told: dict[str, Any] = {
        "events": found.events,
        "refused": found.folding.refused,
        "changed": changed,
        "stale": stale,
        "switched_at": Now(),
    }
    if not builds.left(found.build, BoardBuild.SWITCHED, **told):
        raise Cancelled(Cancelled.__doc__)
    return int(changed)


def refresh(build: BoardBuild, display: Display) -> None:
    """Bring Redis what the switch has changed: under newer versions, so in any order.

    A period that has lost entries is built anew when it is read. Raises CacheUnavailable.
    """
    if build.definition:
        _move(build)
        return
    with connection.cursor() as cursor:
        cursor.execute(build_sql.CHANGED)
        rows = cursor.fetchall()
    generations = selectors.generations({row[0] for row in rows})
    with step(display, "copies in Redis", len(rows)):
        for first in range(0, len(rows), _COPIES):
            some = rows[first : first + _COPIES]
            rank_index.put(places_of(some, generations))
            display.advance(len(some))
        _drop_stale(build)
    BoardBuild.objects.filter(pk=build.pk).update(state=BoardBuild.DONE)


def finish_former() -> None:
    """A build that was switched, and whose builder died before Redis had all copies."""
    for build in BoardBuild.objects.filter(state=BoardBuild.SWITCHED):
        if build.definition:
            _move(build)
            continue
        rows = Entry.objects.filter(updated_at__gte=build.started_at)
        if build.game_id is not None:
            rows = rows.filter(game_id=build.game_id)
        if build.board is not None:
            rows = rows.filter(board=build.board)
        touched = list(rows.values_list("game_id", "period_start", "player_id").distinct())
        for first in range(0, len(touched), _COPIES):
            rank_index.put(selectors.places(touched[first : first + _COPIES]))
        _drop_stale(build)
        BoardBuild.objects.filter(pk=build.pk).update(state=BoardBuild.DONE)


def _move(build: BoardBuild) -> None:
    """After a switch to another generation: nothing in Redis is true of it, and none is read.

    The order of all time is made at once, for those who come first; the others when they are read.
    The former one would stay for ever; those of periods end by themselves.
    """
    game_id, board = str(build.game_id), str(build.board)
    current = selectors.generations([game_id]).get((game_id, board), 0)
    scope = BoardPeriod(
        game_id=game_id,
        board=board,
        period=Period.ALLTIME,
        period_start=EPOCH,
        generation=current,
    )
    if current:
        rank_index.retire(replace(scope, generation=current - 1))
    found = selectors.definition_of(game_id, board)
    if found is not None and Period.ALLTIME in found.periods:
        rank_build.rebuild(scope)
    announce.boards_changed([scope])
    BoardBuild.objects.filter(pk=build.pk).update(state=BoardBuild.DONE)


def _drop_stale(build: BoardBuild) -> None:
    stale = BoardBuild.objects.values_list("stale", flat=True).get(pk=build.pk)
    generations = selectors.generations({row[0] for row in stale})
    for game_id, board, period, start in stale:
        rank_index.mark_incomplete(
            BoardPeriod(
                game_id=game_id,
                board=board,
                period=Period(period),
                period_start=rank_index.moment(start),
                generation=generations.get((game_id, board), 0),
            )
        )
