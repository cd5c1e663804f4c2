"""Reading the event log, to fill a board that was declared after its events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from apps.database import statements

_READ: Final = """
SELECT event_id::text, event_type, player_id, event_timestamp, data::text
  FROM events WHERE game_id = %s AND event_type = ANY(%s)
"""
_IN_ORDER: Final = f"{_READ} ORDER BY event_timestamp, event_id"
_PAGE: Final = 5_000


class LoggedEvent(NamedTuple):
    """What a board needs of an event; `data` is JSON text."""

    event_id: str
    event_type: str
    player_id: str
    at: datetime
    data: str


def pages(
    game_id: str, event_types: list[str], *, in_order: bool = False
) -> Iterator[list[LoggedEvent]]:
    """The game's events of these types, in pages, by a server-side cursor of this transaction.

    `in_order`: of event time, then event id.
    """
    statement = _IN_ORDER if in_order else _READ
    for rows in statements.pages("gamemetrics_log", statement, [game_id, event_types], _PAGE):
        yield [LoggedEvent(*row) for row in rows]
