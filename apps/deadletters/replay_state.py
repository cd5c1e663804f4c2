"""A dead letter on its way through the worker that replays it."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection
from psycopg2.extras import Json

from apps.contract.envelope import Event
from apps.contract.queues import BRIDGE, Consumer, replaying
from apps.deadletters import auto_retry, services
from apps.deadletters.models import DeadLetter

_BEGUN: Final = """
UPDATE dlq_events SET unfinished = unfinished + 1
 WHERE id = %s AND state = 'replaying' AND committed_at IS NULL AND sends > 1
RETURNING unfinished
"""
_ENDED: Final = """
UPDATE dlq_events SET unfinished = unfinished - 1
 WHERE id = %s AND state = 'replaying' AND unfinished > 0
"""
_APPLIED: Final = """
UPDATE dlq_events SET committed_at = now(), duplicate = %(duplicate)s, unfinished = 0,
       state = CASE WHEN %(cached)s THEN 'applied' ELSE state END,
       closed_at = CASE WHEN %(cached)s THEN now() END,
       closed_by = last_replayed_by
 WHERE id = %(id)s AND state = 'replaying' AND committed_at IS NULL
"""
_CACHED: Final = """
UPDATE dlq_events SET state = 'applied', closed_at = now(), next_send_at = NULL
 WHERE id = %s AND state = 'replaying' AND committed_at IS NOT NULL
"""
_FAILED: Final = """
UPDATE dlq_events SET state = 'open', cause = %(cause)s, error_message = %(error)s,
       exception = %(exception)s, next_send_at = NULL, unfinished = 0,
       next_retry_at = statement_timestamp() + %(delay)s::interval
 WHERE id = %(id)s AND state = 'replaying' AND committed_at IS NULL
"""
_NOTE: Final = """
INSERT INTO dead_letter_actions (letter_id, job_id, action, by, detail)
SELECT id, job_id, %(action)s, last_replayed_by, %(detail)s FROM dlq_events WHERE id = %(id)s
"""


def lock(consumer: Consumer, letter: int) -> DeadLetter | None:
    """The letter, locked, if this consumer is to replay it.

    None where it is replayed already, or another worker has it in hand.
    """
    found = (
        DeadLetter.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(pk=letter, state=DeadLetter.State.REPLAYING)
        .first()
    )
    return found if found is not None and replaying(found.consumer_service) is consumer else None


def begin(letter: int) -> int | None:
    """Note that a worker begins; how many began since the release and did not come to an end.

    None where it is not counted: a letter that is sent for the first time pays nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGUN, [letter])
        row = cursor.fetchone()
        return int(row[0]) - 1 if row else None


def end(letter: int) -> None:
    """Note that the worker is alive though it could not apply the letter."""
    _execute(_ENDED, [letter])


def applied(letter: DeadLetter, event: Event, *, duplicate: bool, cached: bool) -> None:
    """The event takes effect with this transaction; `cached`: Redis needs no write."""
    _execute(_APPLIED, {"id": letter.pk, "duplicate": duplicate, "cached": cached})
    if letter.consumer_service == BRIDGE:
        services.fan_out(letter, event)
    detail = {"event_id": event.event_id, "duplicate": duplicate}
    _execute(_NOTE, {"id": letter.pk, "action": "applied", "detail": Json(detail)})


def cached(letter: int) -> None:
    """Redis has what the letter changed: it is applied and done."""
    _execute(_CACHED, [letter])


def failed(letter: DeadLetter, *, cause: str, error: str, exception: str) -> None:
    """The event cannot be applied (again): the letter is open, with this cause.

    The cause before it stays in the audit.
    """
    place = auto_retry.place(letter.topic_id, letter.partition, letter.offset)
    values = {
        "id": letter.pk,
        "cause": cause,
        "error": services.readable(error.encode("utf-8", "replace")),
        "exception": exception,
        "delay": auto_retry.delay(cause, replays=letter.replays, place=place),
    }
    before = {
        "cause": cause,
        "error": values["error"],
        "cause_before": letter.cause,
        "error_before": letter.error_message,
    }
    _execute(_FAILED, values)
    _execute(_NOTE, {"id": letter.pk, "action": "failed", "detail": Json(before)})


def _execute(statement: str, values: list[int] | dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
