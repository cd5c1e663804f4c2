"""Boards as the log makes them, in tables of this session, while scores go on being applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from apps.database.statements import fetch, pages, run
from apps.leaderboards import build_sql, builds, selectors
from apps.leaderboards.build_folding import Folding, Given
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.build_rulings import BuildRulings
from apps.leaderboards.builds import Cancelled
from apps.leaderboards.models import LeaderboardsAppliedEvent
from apps.leaderboards.rules import Definition
from apps.ledger.coverage import LogBehind
from apps.operations.steps import Display, step

# Boards to build, by game.
Boards = Mapping[str, Sequence[Definition]]
# Events a page of the log: folded in memory.
_PAGE: Final = 20_000
# Notes a step, and how many may be left for the time in which no score is applied.
_NOTES: Final = 20_000
_FEW_NOTES: Final = 2_000
_ROUNDS: Final = 50


class Overtaken(Exception):
    """The boards of the game were changed while it was built; build it again."""


@dataclass(kw_only=True, slots=True)
class Construction:
    """An open build, and what it has read."""

    build: BoardBuild
    folding: Folding
    display: Display
    events: int = 0

    @property
    def boards(self) -> Boards:
        return self.folding.boards

    def read_log(self, game_id: str | None, types: list[str] | None) -> None:
        """Everything that was applied when the build was opened; in that snapshot."""
        run(build_sql.READ_ALL)
        ((about,),) = fetch(build_sql.ABOUT)
        with step(self.display, "the log", about if game_id is None else 0):
            values = {"game_id": game_id, "types": types}
            for page in pages("gamemetrics_build", build_sql.READ_LOG, values, _PAGE):
                self.folding.add(Given(*row) for row in page)
                self.events += len(page)
                self.display.advance(len(page))

    def claim_unclaimed(self, game_id: str, types: list[str]) -> None:
        """Claim and add what nobody has claimed, since no board counted such events.

        Claimed without effect it does no harm if the build ends here: it has none on any board, and
        the next build finds it claimed. Raises Overtaken, Cancelled.
        """
        with step(self.display, "events that no board counted", 0):
            while True:
                with transaction.atomic():
                    ids = [row[0] for row in fetch(build_sql.NEXT_UNCLAIMED, limit=_PAGE)]
                    if not ids:
                        break
                    claim = LeaderboardsAppliedEvent.claim(ids)
                    if claim.claimed:
                        # A board that counts them by now has to have them itself.
                        self._demand_uncounted(game_id, types)
                        run(build_sql.NOTE, ids=sorted(claim.claimed))
                        self._add_noted()
                        # Ours are read; no consumer has them to note.
                        run(build_sql.TOLD, ids=sorted(claim.claimed))
                self.display.advance(len(ids))
                self._go_on()

    def _demand_uncounted(self, game_id: str, types: list[str]) -> None:
        for definition in selectors.definitions([game_id])[game_id]:
            if not definition.scoring.keys().isdisjoint(types):
                raise Overtaken(Overtaken.__doc__)

    def follow(self) -> None:
        """What consumers have noted meanwhile, until little is left; then all is added up."""
        with step(self.display, "what came meanwhile", 0):
            for _ in range(_ROUNDS):
                with transaction.atomic():
                    added, noted = self.take_notes()
                self.display.advance(added)
                self._go_on()
                if noted <= _FEW_NOTES:
                    break
        with transaction.atomic():
            run(build_sql.SET_BASED)
            run(build_sql.ADD_UP)

    def finish(self) -> None:
        """While no score is applied: the last of what was noted. Raises LogBehind."""
        while True:
            added, noted = self.take_notes()
            if added < noted:
                raise LogBehind(f"{noted - added:,} applied events are in no log")
            if not noted:
                break
        run(build_sql.ADD_TOUCHED)

    def take_notes(self) -> tuple[int, int]:
        """How many events were read, and how many were noted."""
        run(build_sql.TAKE_NOTES, limit=_NOTES)
        ((noted,),) = fetch("SELECT count(*) FROM built_noted")
        found = self._add_noted() if noted else []
        if found:
            run(build_sql.TOLD, ids=found)
        return len(found), int(noted)

    def _add_noted(self) -> list[str]:
        page = [Given(*row) for row in fetch(build_sql.READ_NOTED)]
        self.folding.add_noted(page)
        self.events += len(page)
        return [event.event_id for event in page]

    def _go_on(self) -> None:
        if builds.is_cancelled(self.build):
            raise Cancelled(Cancelled.__doc__)


@contextmanager
def constructed(
    begin: Callable[[], BoardBuild],
    boards: Callable[[], Boards],
    display: Display,
    *,
    game_id: str | None,
    types: list[str] | None,
) -> Iterator[Construction]:
    """What the log makes of `boards`, which are asked for in the build's own snapshot.

    `game_id` and `types` narrow what is read. Left with the build in another state than it was
    opened in, or as failed. Call it within `builds.alone`. Raises LogBehind, Overtaken, Cancelled.
    """
    run(build_sql.TABLES)
    build: BoardBuild | None = None
    try:
        with builds.opened(begin) as build:
            wanted = boards()
            rulings = BuildRulings.of(wanted, anew=bool(build.definition))
            folding = Folding(boards=wanted, rulings=rulings)
            found = Construction(build=build, folding=folding, display=display)
            uncounted = _uncounted(found.boards) if game_id is not None else []
            if uncounted:
                run(build_sql.FIND_UNCLAIMED, game_id=game_id, types=uncounted)
            found.read_log(game_id, types)
        if uncounted and game_id is not None:
            found.claim_unclaimed(game_id, uncounted)
        found.follow()
        yield found
    except BaseException as error:
        if build is not None:
            # What waits for the log only is tried again.
            again = isinstance(error, LogBehind) and build.definition
            state = BoardBuild.ASKED if again else BoardBuild.FAILED
            builds.left(build, state, error=str(error)[:1_000])
        raise
    finally:
        if not connection.needs_rollback:
            run(build_sql.DROP)


def _uncounted(boards: Boards) -> list[str]:
    """Event types of these boards that no board of their game counts yet."""
    live = selectors.definitions(boards)
    return sorted(
        {
            event_type
            for game_id, definitions in boards.items()
            for definition in definitions
            for event_type in definition.scoring
            if not any(event_type in other.scoring for other in live[game_id])
        }
    )
