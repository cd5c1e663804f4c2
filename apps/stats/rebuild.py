"""Statistics from the log, beside the live ones, switched in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from apps.contract.queues import Consumer
from apps.database.statements import fetch, run
from apps.ledger.builds import IMPATIENT
from apps.ledger.coverage import LogBehind, wait_for_the_log
from apps.operations.steps import Display, step
from apps.stats import aggregate_builds, build_sql, builds, cache
from apps.stats.aggregate_builds import AGGREGATES
from apps.stats.aggregates import Definition
from apps.stats.build_sql import STATISTICS, Part
from apps.stats.locks import hold_statistics_still
from apps.stats.models import PlayerStatistics, StatsBuild

logger = logging.getLogger(__name__)

# Blocks of the log a page: 32 MB.
_PAGE: Final = 4_096
# Notes a step, and how many may be left for the time in which statistics stand still.
_NOTES: Final = 100_000
_FEW_NOTES: Final = 2_000
_ROUNDS: Final = 20
# Copies in Redis a step.
_COPIES: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """What a rebuild did: events read, players whose row was another one, seconds."""

    events: int
    changed: int
    seconds: float
    still: float  # seconds in which no event was applied to statistics


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is rebuilt: the parts, of which events; None means all.

    `settle` runs in the transaction of the switch. An aggregate that is named is rebuilt alone.
    """

    parts: tuple[Part, ...] = (STATISTICS, AGGREGATES)
    game_id: str | None = None
    types: list[str] | None = None
    name: str | None = None
    settle: Callable[[], None] = lambda: None


def rebuild(game_id: str | None, display: Display) -> Rebuilt:
    """Rebuild the statistics of a game, or of all; events go on arriving and being read.

    Raises AnotherBuild, LogBehind, CacheUnavailable (the statistics are switched then, and the
    next rebuild brings Redis its copies). Killed at any point, it leaves the live ones as they are
    or as they were to be.
    """
    with builds.alone():
        finish_former()
        plan = Plan(game_id=game_id)
        _make_tables(plan)
        return _build(plan, display)


def fill(definition: Definition, settle: Callable[[], None], display: Display) -> Rebuilt:
    """Within `alone`: rebuild one aggregate under this definition; `settle` puts it in force.

    Raises as `rebuild` does.
    """
    plan = Plan(
        parts=(AGGREGATES,),
        game_id=definition.game_id,
        types=list(definition.event_types),
        name=definition.name,
        settle=settle,
    )
    _make_tables(plan)
    run(aggregate_builds.ONLY, **aggregate_builds.only(definition))
    return _build(plan, display)


def _make_tables(plan: Plan) -> None:
    for part in plan.parts:
        run(part.tables)
    run(build_sql.TABLES)


def _build(plan: Plan, display: Display) -> Rebuilt:
    began = time.monotonic()
    build: StatsBuild | None = None
    try:
        with builds.opened(plan.game_id) as build:
            events = _read_log(plan, display)
        events += _follow(plan, display)
        events, changed, still = _switch(build, plan, events)
    except BaseException:
        if build is not None:
            builds.settle(build, StatsBuild.FAILED)
        raise
    for part in plan.parts:
        run(part.drop)
    run(build_sql.DROP)
    _refresh(display)
    builds.settle(build, StatsBuild.DONE)
    seconds = time.monotonic() - began
    logger.info("statistics rebuilt", extra={"events": events, "changed": changed})
    return Rebuilt(events=events, changed=changed, seconds=seconds, still=still)


def _read_log(plan: Plan, display: Display) -> int:
    """Everything that was applied when the build was opened."""
    ((blocks, about),) = fetch(build_sql.BLOCKS)
    whose = {"game_id": plan.game_id, "types": plan.types}
    add_log = build_sql.add_log(plan.parts)
    found = 0
    with step(display, "the log", about):
        for first in range(0, blocks, _PAGE):
            lying = {"first": f"({first},0)", "next": f"({first + _PAGE},0)"}
            ((count,),) = fetch(add_log, **whose, **lying)
            found += count
            display.advance(count)
        ((count,),) = fetch(build_sql.add_letters(plan.parts), **whose)
    return int(found + count)


def _follow(plan: Plan, display: Display) -> int:
    """What consumers have noted meanwhile, until little is left to do."""
    found = 0
    with step(display, "what came meanwhile", 0):
        for _ in range(_ROUNDS):
            with transaction.atomic():
                added, noted = _take_notes(plan)
            found += added
            display.advance(added)
            if noted <= _FEW_NOTES:
                break
    with transaction.atomic():
        run(build_sql.SET_BASED)
        for part in plan.parts:
            run(part.add_up)
        run(build_sql.FORGET_TOUCHED)
    # What came while that was added up.
    with transaction.atomic():
        added, _ = _take_notes(plan)
    return found + added


def _take_notes(plan: Plan) -> tuple[int, int]:
    """How many events were added, and how many were noted."""
    with connection.cursor() as cursor:
        cursor.execute(build_sql.TAKE_NOTES, {"limit": _NOTES})
        cursor.execute(build_sql.add_noted(plan.parts))
        added, noted = cursor.fetchone()
    return int(added), int(noted)


def _switch(build: StatsBuild, plan: Plan, events: int) -> tuple[int, int, float]:
    """All events read, players changed, and the seconds in which statistics stood still."""
    with transaction.atomic():
        run(f"{build_sql.SET_BASED}; {IMPATIENT}")
        hold_statistics_still()
        began = time.monotonic()
        wait_for_the_log(Consumer.STATS)
        while True:
            added, noted = _take_notes(plan)
            events += added
            if added < noted:
                raise LogBehind(f"{noted - added:,} applied events are in no log")
            if not noted:
                break
        for part in plan.parts:
            run(part.add_touched)
            for statement in part.switch:
                run(statement, game_id=plan.game_id, name=plan.name)
        plan.settle()
        ((changed,),) = fetch("SELECT count(*) FROM rebuilt_changes")
        builds.switched(build, events=events, changed=changed)
    return events, int(changed), time.monotonic() - began


def _refresh(display: Display) -> None:
    """Have Redis forget what the switch has changed: the next read takes the new rows.

    They have newer versions: whoever read an older one and is about to write it loses.
    """
    pairs = [(row[0], row[1]) for row in fetch("SELECT player_id, game_id FROM rebuilt_changes")]
    with step(display, "copies in Redis", len(pairs)):
        for first in range(0, len(pairs), _COPIES):
            some = pairs[first : first + _COPIES]
            cache.drop(some)
            display.advance(len(some))


def finish_former() -> None:
    """Within `alone`: a build that was switched, and of which Redis may have older copies."""
    for build in StatsBuild.objects.filter(state=StatsBuild.SWITCHED):
        rows = PlayerStatistics.objects.filter(updated_at__gte=build.started_at)
        if build.game_id is not None:
            rows = rows.filter(game_id=build.game_id)
        cache.drop(list(rows.values_list("player_id", "game_id")))
        builds.settle(build, StatsBuild.DONE)
