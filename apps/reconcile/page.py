"""A page of Kafka's events as a temporary table, to be joined with the log."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection

from apps.contract.chunk import Record

_CREATE: Final = """
CREATE TEMP TABLE IF NOT EXISTS reconcile_page (
  "offset" bigint, event_id uuid, event_type text, player_id text, game_id text,
  event_timestamp timestamptz, ingested_at timestamptz, event_version text, session_id text,
  sent_at timestamptz, data text) ON COMMIT DELETE ROWS
"""
_COPY: Final = "COPY reconcile_page FROM STDIN"
_SAME: Final = """
(e.event_type, e.player_id, e.game_id, e.event_timestamp, e.event_version, e.session_id,
 e.sent_at, e.data) IS NOT DISTINCT FROM
(k.event_type, k.player_id, k.game_id, k.event_timestamp, k.event_version, k.session_id,
 k.sent_at, k.data::jsonb)
"""
# A row is the message's own where both were accepted at the same microsecond; another message
# with the id is a repeat, and the first one counts. One statement, so one snapshot: a replay that
# commits meanwhile is seen whole or not at all.
_DIFFERING: Final = f"""
SELECT k."offset", e.event_id IS NULL
  FROM reconcile_page AS k LEFT JOIN events AS e ON e.event_id = k.event_id
 WHERE CASE WHEN e.event_id IS NULL THEN NOT EXISTS (
              SELECT 1 FROM dlq_events AS d
               WHERE d.event_id = k.event_id AND d.consumer_service = 'logging'
                 AND d.state <> 'applied')
            AND NOT EXISTS (
              SELECT 1 FROM dlq_events AS d
               WHERE d.consumer_service = 'bridge' AND d.topic_id = %(topic_id)s
                 AND d.partition = %(partition)s AND d."offset" = k."offset")
       ELSE e.ingested_at = k.ingested_at AND NOT {_SAME} END
 ORDER BY k."offset"
"""
_MATCHED: Final = f"""
SELECT DISTINCT k.event_id::text FROM reconcile_page AS k JOIN events AS e USING (event_id)
 WHERE {_SAME}
"""
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def create() -> None:
    """Make the temporary table; it lives as long as the connection."""
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)


def fill(records: Sequence[Record]) -> None:
    """Bring the records to the table, inside the caller's transaction."""
    text = "".join(map(_line, records))
    with connection.cursor() as cursor:
        cursor.copy_expert(_COPY, io.StringIO(text))


def differing(topic_id: str, partition: int) -> list[tuple[int, bool]]:
    """(offset, whether the log lacks the event) of records that the log does not hold as told."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERING, {"topic_id": topic_id, "partition": partition})
        return list(cursor.fetchall())


def matched() -> set[str]:
    """Ids of which some record on the page equals the log's row."""
    with connection.cursor() as cursor:
        cursor.execute(_MATCHED)
        return {row[0] for row in cursor.fetchall()}


def _line(record: Record) -> str:
    fields: tuple[Any, ...] = (
        str(record.offset),
        record.event_id,
        _text(record.event_type),
        _text(record.player_id),
        _text(record.game_id),
        record.timestamp.isoformat(),
        record.ingested_at.isoformat(),
        _text(record.event_version),
        _text(record.session_id),
        _time(record.sent_at),
        _text(bytes(record.data).decode()),
    )
    return "\t".join(fields) + "\n"


def _text(value: str | None) -> str:
    return r"\N" if value is None else value.translate(_ESCAPES)


def _time(value: datetime | None) -> str:
    return r"\N" if value is None else value.isoformat()
