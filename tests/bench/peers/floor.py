"""The floor: what logging alone costs here, with nothing around it.

One process: batches of 5,000 messages by COPY into a temporary table and from there, deduplicated,
into the log. No Celery, no bridge, no validation, no retry: a bad message would end it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import psycopg2
from confluent_kafka import Message

from tests.bench.peer_work.crew import Crew, module
from tests.bench.peer_work.order import Order, work_in_batches
from tests.bench.peers import BenchRig, PeerResult

NAME: Final = "floor: COPY and dedup, logging only"
JOBS: Final = ("logging",)
BATCH: Final = 5_000
LINGER: Final = 0.05

_COLUMNS = (
    "event_id, event_type, player_id, game_id, event_timestamp, ingested_at, event_version,"
    " session_id, sent_at, data"
)
_STAGE = """
CREATE TEMPORARY TABLE stage (event_id uuid, event_type text, player_id text, game_id text,
  event_timestamp timestamptz, ingested_at timestamptz, event_version text, session_id text,
  sent_at timestamptz, data jsonb) ON COMMIT DELETE ROWS
"""
_COPY = f"COPY stage ({_COLUMNS}) FROM STDIN"
_MOVE = f"""
INSERT INTO events ({_COLUMNS}) SELECT {_COLUMNS} FROM stage ON CONFLICT (event_id) DO NOTHING
"""


class Event(msgspec.Struct, frozen=True):
    """In the order of the columns; times and data stay the text that they are."""

    event_id: str
    event_type: str
    player_id: str
    game_id: str
    timestamp: str
    ingested_at: str
    data: msgspec.Raw
    event_version: str | None = None
    session_id: str | None = None
    sent_at: str | None = None


_decode = msgspec.json.Decoder(Event).decode


def lines(messages: Sequence[Message]) -> str:
    """COPY's text format. Of what it wants escaped, valid events have the backslash alone."""
    text = io.StringIO()
    for message in messages:
        event = _decode(message.value() or b"")
        text.write(
            "\t".join(
                (
                    _escaped(event.event_id),
                    _escaped(event.event_type),
                    _escaped(event.player_id),
                    _escaped(event.game_id),
                    event.timestamp,
                    event.ingested_at,
                    _escaped(event.event_version),
                    _escaped(event.session_id),
                    event.sent_at or r"\N",
                    _escaped(bytes(event.data).decode()),
                )
            )
        )
        text.write("\n")
    return text.getvalue()


def _escaped(text: str | None) -> str:
    if text is None:
        return r"\N"
    return text.replace("\\", "\\\\") if "\\" in text else text


def log(cursor: Any, messages: Sequence[Message]) -> None:
    cursor.copy_expert(_COPY, io.StringIO(lines(messages)))
    cursor.execute(_MOVE)


def work(order: Order) -> None:
    """Log every message, a batch a transaction."""
    connection = psycopg2.connect(order.database)
    with connection, connection.cursor() as cursor:
        cursor.execute(_STAGE)
    work_in_batches(order, connection, log, most=BATCH, linger=LINGER)


def run(rig: BenchRig, events: int) -> PeerResult:
    return Crew(name="floor", jobs=JOBS, argv=module(__name__)).run(rig, events)


if __name__ == "__main__":
    work(Order.of_process())
