"""Carrying an act out: decisions, entries and ranks change together, and at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from django.db import connection, transaction

from apps.contract.queues import Consumer
from apps.hints import announce
from apps.leaderboards import locks, rank_acts, selectors
from apps.leaderboards.models import HiddenPlayer, ModerationAct
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.recompute import recompute
from apps.leaderboards.rules import Definition
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import wait_for_the_log

logger = logging.getLogger(__name__)
_IDLE: Final = f"SET LOCAL idle_in_transaction_session_timeout = '{rank_acts.IDLE}s'"


class BoardUnknown(Exception):
    """The game has no board of that name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """Who acts, and why; kept with the act."""

    by: str
    reason: str


@dataclass(kw_only=True, slots=True)
class Deed:
    """What was written, and whose entries on which board follow from it ("" is every board)."""

    acts: list[ModerationAct] = field(default_factory=list)
    touched: set[tuple[str, str]] = field(default_factory=set)  # board, player

    def record(self, act: ModerationAct, *, recount: bool = True) -> None:
        act.save()
        self.acts.append(act)
        if recount:
            self.touched.add((act.board, act.player_id))


def carry_out(game_id: str, do: Callable[[], Deed]) -> list[ModerationAct]:
    """Do it while no score is applied, and recount who is touched; the acts.

    Raises LogBehind, CacheUnavailable (nothing is done then), and what `do` raises.
    """
    changes: dict[BoardPeriod, rank_acts.Change] = {}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_IDLE)
        locks.hold_scores_still()
        wait_for_the_log(Consumer.LEADERBOARDS)
        deed = do()
        for definition, players in _boards(game_id, deed.touched):
            changes.update(recompute(definition, sorted(players)))
        token = rank_acts.suspend(changes)
    try:
        rank_acts.resume(token, changes)
    except CacheUnavailable as error:
        # Done all the same: the orders are read by nobody until they are built anew.
        logger.warning("ranks follow from PostgreSQL", extra={"error": str(error)})
    announce.boards_changed(changes)
    return deed.acts


def _boards(
    game_id: str, touched: Iterable[tuple[str, str]]
) -> Iterable[tuple[Definition, set[str]]]:
    pairs = set(touched)
    if not pairs:
        return
    for definition in selectors.definitions([game_id])[game_id]:
        names = {definition.name, HiddenPlayer.EVERY_BOARD}
        players = {player_id for board, player_id in pairs if board in names}
        if players:
            yield definition, players


def demand_board(game_id: str, board: str) -> Definition:
    """Raises BoardUnknown."""
    found = selectors.definition_of(game_id, board)
    if found is None:
        raise BoardUnknown(f"{game_id!r} has no board {board!r}")
    return found
