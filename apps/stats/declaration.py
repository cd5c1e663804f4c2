"""Declaring an aggregate: it counts what is in the log and, from then on, what comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apps.operations.steps import Display
from apps.stats import builds
from apps.stats.aggregate_models import StatDefinition
from apps.stats.aggregates import MOST, Definition
from apps.stats.models import StatsBuild
from apps.stats.rebuild import fill, finish_former


class AggregateConflict(Exception):
    """An aggregate of that name has another definition."""


class NoSuchAggregate(Exception):
    """The game has no aggregate of that name."""


class TooManyAggregates(Exception):
    """The game has as many aggregates as it may."""


class _Unseen:
    """Nobody looks on."""

    def begin(self, title: str, total: int) -> None:
        """Shows nothing."""

    def advance(self, items: int) -> None:
        """Shows nothing."""

    def end(self) -> None:
        """Shows nothing."""


UNSEEN: Final = _Unseen()


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """The version in force; whether this call made it, of how many events in the log."""

    version: int
    new: bool
    events: int = 0


def declare(
    definition: Definition, *, by: str, reason: str = "", display: Display = UNSEEN
) -> Declared:
    """Fill a new aggregate from the log and put it in force, while events go on being applied.

    `by` and `reason` are kept with its version. Declaring the same again changes nothing. Raises
    AggregateConflict, TooManyAggregates, and as `rebuild` does; CacheUnavailable means that it is
    in force, and that declaring it again brings Redis the rest.

    Whoever is killed on the way has declared nothing: the definition comes with the switch.
    """
    return _bring(definition, by=by, reason=reason, display=display, change=False)


def change(
    definition: Definition, *, by: str, reason: str = "", display: Display = UNSEEN
) -> Declared:
    """Give an aggregate another definition, filled anew from the log; the former one is kept.

    Until the switch the former one counts and is read. Raises NoSuchAggregate, and as `declare`.
    """
    return _bring(definition, by=by, reason=reason, display=display, change=True)


def _bring(
    definition: Definition, *, by: str, reason: str, display: Display, change: bool
) -> Declared:
    if not StatsBuild.objects.filter(state=StatsBuild.SWITCHED).exists():
        held = _held(definition, change=change)
        if held is not None and held.definition == definition:
            return Declared(version=held.version, new=False)
    with builds.alone():
        finish_former()
        # Again: only now does nobody else declare.
        held = _held(definition, change=change)
        if held is not None and held.definition == definition:
            return Declared(version=held.version, new=False)
        version = 1 if held is None else held.version + 1

        def settle() -> None:
            StatDefinition.put_in_force(definition, version, by=by, reason=reason)

        filled = fill(definition, settle, display)
    return Declared(version=version, new=True, events=filled.events)


def _held(definition: Definition, *, change: bool) -> StatDefinition | None:
    """The version in force. Raises AggregateConflict, NoSuchAggregate, TooManyAggregates."""
    of_game = StatDefinition.objects.filter(game_id=definition.game_id, current=True)
    held = of_game.filter(name=definition.name).first()
    named = f"aggregate {definition.name!r} of {definition.game_id!r}"
    if held is None:
        if change:
            raise NoSuchAggregate(f"there is no {named}; declare it")
        if of_game.count() >= MOST:
            raise TooManyAggregates(f"{definition.game_id!r} has {MOST} aggregates; no more fit")
    elif not change and held.definition != definition:
        raise AggregateConflict(f"{named} is declared otherwise")
    return held
