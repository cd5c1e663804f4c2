"""A board with bounds judged anew: its scores in the order of event time, while none is applied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from apps.contract.queues import Consumer
from apps.database.statements import pages
from apps.leaderboards import decisions
from apps.leaderboards.folding import Deltas, Scored, scores
from apps.leaderboards.log import LoggedEvent
from apps.leaderboards.models import Attempts, Decision, Entry
from apps.leaderboards.rules import Definition
from apps.leaderboards.ruling import rule
from apps.leaderboards.services import merge
from apps.ledger import given
from apps.ledger.failures import EventRefused

_PAGE: Final = 5_000
_IN_ORDER: Final = f"""
SELECT event_id::text, event_type, player_id, at, data::text
  FROM ({given.applied(Consumer.LEADERBOARDS)}) AS given ORDER BY at, event_id
"""


def forget_judgements(definition: Definition) -> None:
    """What the board's bounds held, and remember; what people decided stays."""
    of_board = {"game_id": definition.game_id, "board": definition.name}
    Decision.objects.filter(**of_board, state=Decision.HELD).delete()
    Attempts.objects.filter(**of_board).delete()


def refill(definition: Definition) -> None:
    """Write all entries of the board, which is stored as it is to be, and what its bounds hold.

    In a transaction that holds scores still, while the log covers what the boards have applied.
    """
    forget_judgements(definition)
    Entry.objects.filter(game_id=definition.game_id, board=definition.name).delete()
    rulings = decisions.rulings({definition.game_id: [definition]})
    for page in _pages(definition):
        found: list[tuple[Scored, str]] = []
        for event in page:
            try:
                scored = scores([definition], *event[1:], event.event_id)
            except EventRefused:
                continue
            found += [(one, event.event_id) for one in scored]
        deltas = Deltas()
        for one in rule(rulings, found):
            deltas.add(one)
        merge(deltas)


def _pages(definition: Definition) -> Iterator[list[LoggedEvent]]:
    named: dict[str, Any] = {
        "game_id": definition.game_id,
        "players": None,
        "types": sorted(definition.scoring),
    }
    for rows in pages("gamemetrics_refill", _IN_ORDER, named, _PAGE):
        yield [LoggedEvent(*row) for row in rows]
