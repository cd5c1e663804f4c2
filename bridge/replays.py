"""Dead letters that wait to be sent, and the jobs that release them, as PostgreSQL has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import psycopg2
from psycopg2.extras import Json

from apps.contract.causes import UNREPLAYABLE
from apps.contract.queues import Consumer, replaying
from bridge.database import Database
from bridge.replay_rate import allowance

# Doubled with each send: 10 s, 20 s, 40 s, then 60 s.
FIRST_LEASE: Final = timedelta(seconds=10)
LONGEST_LEASE: Final = timedelta(seconds=60)
# A job whose letters no worker takes stops to release more.
MOST_REPLAYING: Final = 1_000
# Ids that a job looks through in one pass, some 20 ms where few of them match.
WINDOW: Final = 20_000
# By whom letters are released that nobody asked for.
AUTO_RETRY: Final = "auto-retry"


class ReplaysUnavailable(Exception):
    """PostgreSQL does not answer, or not in time; nothing is lost by trying later."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What there is to do."""

    to_send: bool
    to_retry: bool
    jobs: tuple[int, ...]

    def __bool__(self) -> bool:
        return self.to_send or self.to_retry or bool(self.jobs)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToSend:
    """A letter that is sent to a consumer for the n-th time since it was released."""

    letter: int
    consumer: Consumer
    sends: int


class Replays(Protocol):
    """The letters that the dispatcher moves. Each call is one transaction of its own."""

    def work(self, now: datetime) -> Work:
        """What there is to do; asked all the time, so it must cost nothing when idle."""

    def retry(self, now: datetime, most: int) -> int:
        """Release letters whose retry has come; how many."""

    def advance(self, job: int, now: datetime) -> int:
        """Move a running job on as far as its rate allows; letters released or discarded."""

    def to_send(self, now: datetime, most: int) -> list[ToSend]:
        """Letters to send now; they come again when their lease is over, unless done by then.

        Two dispatchers never get the same letter.
        """

    def close(self) -> None:
        """Let the connection go; the next call makes a new one."""


_WORK: Final = """
SELECT EXISTS (SELECT FROM dlq_events WHERE state = 'replaying' AND next_send_at <= %(now)s),
       EXISTS (SELECT FROM dlq_events WHERE state = 'open' AND next_retry_at <= %(now)s),
       ARRAY(SELECT id FROM dead_letter_jobs WHERE state = 'running' ORDER BY id LIMIT 10)
"""
_RELEASED: Final = """
  UPDATE dlq_events AS l
     SET state = 'replaying', replays = l.replays + 1, last_replayed_at = %(now)s,
         last_replayed_by = %(by)s, job_id = %(job)s, next_retry_at = NULL,
         next_send_at = %(now)s, sends = 0, unfinished = 0
    FROM chosen WHERE l.id = chosen.id RETURNING l.id
"""
_DISCARDED: Final = """
  UPDATE dlq_events AS l
     SET state = 'discarded', closed_at = %(now)s, closed_by = %(by)s, job_id = %(job)s,
         next_retry_at = NULL
    FROM chosen WHERE l.id = chosen.id RETURNING l.id
"""
_NOTED: Final = """
  INSERT INTO dead_letter_actions (letter_id, job_id, action, by, at, detail)
  SELECT id, %(job)s, %(action)s, %(by)s, %(now)s, %(detail)s FROM moved RETURNING letter_id
"""
_RETRY: Final = f"""
WITH chosen AS (
  SELECT id FROM dlq_events WHERE state = 'open' AND next_retry_at <= %(now)s
   ORDER BY next_retry_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
), moved AS ({_RELEASED}), noted AS ({_NOTED})
SELECT count(*) FROM noted
"""
_JOB: Final = """
SELECT action, filter, reason, per_second, cursor, max_id, paced_at, created_by
  FROM dead_letter_jobs WHERE id = %s AND state = 'running' FOR UPDATE SKIP LOCKED
"""
_REPLAYING: Final = """
SELECT count(*) FROM (SELECT FROM dlq_events WHERE state = 'replaying' LIMIT %s) AS replaying
"""
_STEP: Final = f"""
WITH chosen AS (
  SELECT id FROM dlq_events
   WHERE id > %(cursor)s AND id <= %(until)s AND state = 'open'
     AND (%(action)s = 'discard' OR cause <> ALL(%(unreplayable)s))
     AND (%(consumer_service)s::text IS NULL OR consumer_service = %(consumer_service)s)
     AND (%(cause)s::text IS NULL OR cause = %(cause)s)
     AND (%(game_id)s::text IS NULL OR game_id = %(game_id)s)
     AND (%(player_id)s::text IS NULL OR player_id = %(player_id)s)
     AND (%(event_type)s::text IS NULL OR event_type = %(event_type)s)
     AND (%(created_from)s::timestamptz IS NULL OR created_at >= %(created_from)s)
     AND (%(created_until)s::timestamptz IS NULL OR created_at < %(created_until)s)
   ORDER BY id LIMIT %(most)s FOR UPDATE
), moved AS ({{move}}), noted AS ({_NOTED})
SELECT count(*), max(letter_id) FROM noted
"""
_STEPS: Final = {
    "replay": _STEP.format(move=_RELEASED),
    "discard": _STEP.format(move=_DISCARDED),
}
_FILTERS: Final = (
    *("consumer_service", "cause", "game_id", "player_id", "event_type"),
    *("created_from", "created_until"),
)
_MOVED: Final = """
UPDATE dead_letter_jobs
   SET cursor = %(cursor)s, released = released + %(released)s, paced_at = %(paced_at)s,
       state = CASE WHEN %(done)s THEN 'done' ELSE state END,
       finished_at = CASE WHEN %(done)s THEN %(now)s ELSE finished_at END
 WHERE id = %(job)s
"""
_TO_SEND: Final = """
WITH chosen AS (
  SELECT id FROM dlq_events WHERE state = 'replaying' AND next_send_at <= %(now)s
   ORDER BY next_send_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE dlq_events AS l
   SET sends = l.sends + 1,
       next_send_at = %(now)s + least(%(first)s * power(2, least(l.sends, 30)), %(longest)s)
  FROM chosen WHERE l.id = chosen.id
RETURNING l.id, l.consumer_service, l.sends
"""


class PostgresReplays:
    """The letters in PostgreSQL; one connection of its own, made when needed.

    Every statement is bounded by time, since it runs between two polls of Kafka.
    """

    def __init__(self, dsn: str) -> None:
        self._database = Database(
            dsn=dsn, name="gamemetrics-bridge-replays", seconds=2, lock_seconds=1, autocommit=False
        )

    def work(self, now: datetime) -> Work:
        with self._cursor() as cursor:
            cursor.execute(_WORK, {"now": now})
            to_send, to_retry, jobs = cursor.fetchone()
        return Work(to_send=to_send, to_retry=to_retry, jobs=tuple(jobs))

    def retry(self, now: datetime, most: int) -> int:
        values = {"now": now, "most": most, "by": AUTO_RETRY, "job": None}
        with self._cursor() as cursor:
            cursor.execute(_RETRY, {**values, "action": "replay", "detail": "{}"})
            return int(cursor.fetchone()[0])

    def advance(self, job: int, now: datetime) -> int:
        with self._cursor() as cursor:
            cursor.execute(_JOB, [job])
            found = cursor.fetchone()
            return 0 if found is None else _step(cursor, job, found, now)

    def to_send(self, now: datetime, most: int) -> list[ToSend]:
        leases = {"first": FIRST_LEASE, "longest": LONGEST_LEASE}
        with self._cursor() as cursor:
            cursor.execute(_TO_SEND, {"now": now, "most": most, **leases})
            rows = sorted(cursor.fetchall())
        return [ToSend(letter=row[0], consumer=replaying(row[1]), sends=row[2]) for row in rows]

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """A cursor in a transaction; whatever fails is told as ReplaysUnavailable."""
        try:
            with self._database.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            raise ReplaysUnavailable(str(error).strip()) from error


def _step(cursor: Any, job: int, found: tuple[Any, ...], now: datetime) -> int:
    action, filters, reason, per_second, seen, max_id, paced_at, by = found
    most, paced_at = allowance(per_second, paced_at, now)
    if action == "replay":
        cursor.execute(_REPLAYING, [MOST_REPLAYING])
        most = min(most, MOST_REPLAYING - cursor.fetchone()[0])
    if most <= 0:
        return 0
    until = min(seen + WINDOW, max_id)
    values = {name: filters.get(name) for name in _FILTERS}
    values |= {"cursor": seen, "until": until, "most": most, "action": action, "job": job}
    values |= {"now": now, "by": by, "unreplayable": list(UNREPLAYABLE)}
    detail = Json({"reason": reason} if reason else {})
    cursor.execute(_STEPS[action], {**values, "detail": detail})
    released, last = cursor.fetchone()
    # Fewer than asked for: nothing up to `until` is left.
    reached = last if released == most else until
    moved = {"cursor": reached, "released": released, "paced_at": paced_at, "job": job}
    cursor.execute(_MOVED, {**moved, "now": now, "done": reached >= max_id})
    return int(released)
