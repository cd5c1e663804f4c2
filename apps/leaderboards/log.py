"""Reading the event log, to fill a board that was declared after its events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Final, NamedTuple

from django.db import connection

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
    connection.ensure_connection()
    assert connection.connection is not None
    with closing(connection.connection.cursor(name="gamemetrics_log")) as cursor:
        cursor.itersize = _PAGE
        cursor.execute(_IN_ORDER if in_order else _READ, [game_id, event_types])
        while rows := cursor.fetchmany(_PAGE):
            yield [LoggedEvent(*row) for row in rows]
