"""Declaring a board: it counts what is in the log and, from then on, what comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from apps.contract.queues import Consumer
from apps.leaderboards import board_store, decisions, locks, log, selectors
from apps.leaderboards.folding import Deltas, Scored, scores
from apps.leaderboards.models import Board, LeaderboardsAppliedEvent
from apps.leaderboards.rules import Definition
from apps.leaderboards.ruling import rule
from apps.leaderboards.services import merge
from apps.ledger.coverage import wait_for_the_log
from apps.ledger.failures import EventRefused


class BoardConflict(Exception):
    """A board of that name has another definition."""


def declare(definition: Definition, *, by: str, reason: str = "") -> bool:
    """Declare the board and fill it from the log, in one transaction; True where it is new.

    `by` and `reason` are kept with its version. Declaring the same again changes nothing. Raises
    BoardConflict, LogBehind.

    While it runs no score is applied, so an event counts on the new board exactly once: from the
    log if the log has it, from its chunk otherwise.
    """
    with transaction.atomic():
        locks.hold_scores_still()
        held = Board.objects.filter(game_id=definition.game_id, name=definition.name).first()
        if held is not None:
            if selectors.definition(held) != definition:
                raise BoardConflict(
                    f"board {definition.name!r} of {definition.game_id!r} is declared otherwise"
                )
            return False
        wait_for_the_log(Consumer.LEADERBOARDS)
        others = selectors.definitions([definition.game_id])
        board_store.declared(definition, by, reason)
        _fill(definition, others)
    return True


def _fill(definition: Definition, others: Mapping[str, Sequence[Definition]]) -> None:
    """Count the log's events on the new board.

    An event of the log that the leaderboards consumer has not applied yet is claimed here and
    counted on the game's other boards too: its chunk, when it comes, finds it applied.
    """
    rulings = decisions.rulings({definition.game_id: [definition, *others[definition.game_id]]})
    # Bounds are judged in the order of event time.
    in_order = definition.bounds is not None
    for page in log.pages(definition.game_id, sorted(definition.scoring), in_order=in_order):
        claimed = LeaderboardsAppliedEvent.claim(event.event_id for event in page).claimed
        deltas = Deltas()
        refused: list[str] = []
        ruled: list[tuple[Scored, str]] = []
        for event in page:
            new = event.event_id in claimed
            boards = [definition, *(others[definition.game_id] if new else ())]
            try:
                found = scores(
                    boards, event.event_type, event.player_id, event.at, event.data, event.event_id
                )
            except EventRefused:
                # Not ours to dead-letter: an unclaimed event's own chunk does that, and one that
                # was applied already has, at this board, no score.
                refused += [event.event_id] if new else []
                continue
            ruled += [(scored, event.event_id) for scored in found]
        for scored in rule(rulings, ruled):
            deltas.add(scored)
        if refused:
            LeaderboardsAppliedEvent.release(refused)
        merge(deltas)
