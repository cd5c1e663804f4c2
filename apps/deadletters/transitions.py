"""From one state of a dead letter to the next: each a compare-and-set with its audit row.

open -> replaying -> applied, or open again; open -> discarded -> open. Where the event's effect is
found, or found missing, by other means (it came again; reconcile): -> applied, applied -> open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection
from psycopg2.extras import Json

from apps.contract.causes import UNREPLAYABLE
from apps.database.prepared import Prepared
from apps.deadletters.services import readable

# The rows are locked in the order of their ids: two selections that overlap cannot deadlock.
_MOVE: Final = """
WITH chosen AS (
  SELECT id FROM dlq_events
   WHERE id = ANY(%(ids)s) AND state = ANY(%(old)s) AND ({condition}) ORDER BY id FOR UPDATE
), moved AS (
  UPDATE dlq_events AS l SET {changes} FROM chosen WHERE l.id = chosen.id RETURNING l.id
)
INSERT INTO dead_letter_actions (letter_id, action, by, detail)
SELECT id, %(action)s, %(by)s, %(detail)s FROM moved RETURNING letter_id
"""
_RELEASE: Final = _MOVE.format(
    condition="cause <> ALL(%(unreplayable)s)",
    changes="""state = 'replaying', replays = l.replays + 1, last_replayed_at = now(),
         last_replayed_by = %(by)s, job_id = NULL, next_retry_at = NULL, next_send_at = now(),
         sends = 0, unfinished = 0""",
)
_DISCARD: Final = _MOVE.format(
    condition="true",
    changes="""state = 'discarded', closed_at = now(), closed_by = %(by)s, job_id = NULL,
         next_retry_at = NULL""",
)
_REOPEN: Final = _MOVE.format(
    condition="true", changes="state = 'open', closed_at = NULL, closed_by = ''"
)
_EDIT: Final = _MOVE.format(
    condition="true",
    changes="edited = %(edited)s, edited_by = %(by)s, edited_at = now(), next_retry_at = NULL",
)
# A duplicate: what took effect is not this letter's, nor an edit in it.
_SETTLED: Final = """state = 'applied', committed_at = now(), duplicate = true, closed_at = now(),
         closed_by = %(by)s, next_retry_at = NULL, next_send_at = NULL, unfinished = 0"""
_SETTLE: Final = _MOVE.format(condition="committed_at IS NULL", changes=_SETTLED)
_TAKE_BACK: Final = _MOVE.format(
    condition="true",
    changes="""state = 'open', cause = %(cause)s, error_message = %(error)s,
         exception = %(exception)s, committed_at = NULL, duplicate = false, closed_at = NULL,
         closed_by = '', next_retry_at = NULL, next_send_at = NULL, unfinished = 0""",
)
_RESTORE: Final = _MOVE.format(
    condition="raw <> %(raw)s", changes="raw = %(raw)s, original_event = %(original)s"
)

# Ordinarily no letter is open: then the records are not read, which costs most.
_ANY_OPEN: Final = Prepared(
    "any_open_letter",
    {"consumer": "text"},
    "SELECT FROM dlq_events WHERE consumer_service = %(consumer)s AND state = 'open' LIMIT 1",
)
_REPEATED: Final = Prepared(
    "close_repeated_letters",
    {"consumer": "text", "records": "json", "refused": "uuid[]", "by": "text"},
    f"""
WITH chosen AS (
  SELECT l.id FROM dlq_events AS l
    JOIN json_to_recordset(%(records)s) AS r(event_id uuid) ON r.event_id = l.event_id
   WHERE l.consumer_service = %(consumer)s AND l.state = 'open'
     AND l.event_id <> ALL(%(refused)s)
   ORDER BY l.id FOR UPDATE OF l
), moved AS (
  UPDATE dlq_events AS l
     SET {_SETTLED}
    FROM chosen WHERE l.id = chosen.id RETURNING l.id
)
INSERT INTO dead_letter_actions (letter_id, action, by, detail)
SELECT id, 'applied', %(by)s, '{{"repeat": true}}' FROM moved RETURNING letter_id
""",
)
# Who closes a letter whose event a client sent again, when its cause was gone.
REPEAT: Final = "repeat"


def close_repeated(consumer: str, records: str, refused: Sequence[str]) -> list[int]:
    """Close the open letters of records that the consumer has applied, all but the refused ones.

    Runs in the transaction that applies them: an event is applied or in the open dead letters,
    never both. `records` is the JSON text of a chunk.
    """
    values: dict[str, Any] = {
        "consumer": consumer,
        "records": records,
        "refused": list(refused),
        "by": REPEAT,
    }
    # Asked only now, in a snapshot after the records' claims: who refused one of them at the same
    # time holds its claim until the letter is committed. We waited for that, and see the letter.
    if not _ANY_OPEN.execute({"consumer": consumer}):
        return []
    return [row[0] for row in _REPEATED.fetch(values)]


def release(ids: Sequence[int], *, by: str) -> list[int]:
    """Have open letters replayed; those that were open and can be."""
    return _move(_RELEASE, ids, "open", "replay", by, {}, unreplayable=list(UNREPLAYABLE))


def discard(ids: Sequence[int], *, by: str, reason: str) -> list[int]:
    """Close open letters without replaying them; those that were open."""
    return _move(_DISCARD, ids, "open", "discard", by, {"reason": reason} if reason else {})


def reopen(ids: Sequence[int], *, by: str) -> list[int]:
    """Open discarded letters again; those that were discarded."""
    return _move(_REOPEN, ids, "discarded", "reopen", by, {})


def edit(letter: int, edited: bytes, *, by: str) -> bool:
    """Put the edited event beside the original of an open letter; False where it is not open."""
    detail = {"edited": readable(edited)}
    return bool(_move(_EDIT, [letter], "open", "edit", by, detail, edited=edited))


def settle(ids: Sequence[int], *, by: str) -> list[int]:
    """Close letters whose event is applied otherwise; those whose own effect is not committed."""
    return _move(_SETTLE, ids, ("open", "replaying"), "applied", by, {"duplicate": True})


def take_back(letter: int, *, by: str, cause: str, error: str, exception: str) -> bool:
    """Open an applied letter whose event is refused now and has no effect any more."""
    detail = {"cause": cause, "error": readable(error.encode("utf-8", "replace"))}
    values = {**detail, "exception": exception}
    return bool(_move(_TAKE_BACK, [letter], "applied", "failed", by, detail, **values))


def restore(letter: int, raw: bytes, original: Any, *, by: str) -> bool:
    """Put back the bytes that came, whatever the state; False where they are there."""
    values = {"raw": raw, "original": Json(original)}
    states = ("open", "replaying", "applied", "discarded")
    return bool(_move(_RESTORE, [letter], states, "restore", by, {}, **values))


def _move(
    statement: str,
    ids: Sequence[int],
    old: str | tuple[str, ...],
    action: str,
    by: str,
    detail: dict[str, Any],
    **more: Any,
) -> list[int]:
    values: dict[str, Any] = {
        "ids": list(ids),
        "old": [old] if isinstance(old, str) else list(old),
        "action": action,
        "by": by,
        "detail": Json(detail),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, {**more, **values})
        return sorted(row[0] for row in cursor.fetchall())
