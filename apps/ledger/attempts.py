"""Set-based access to the attempts: what is known of a chunk that may be killing its workers."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from apps.ledger.chunks import key_of

_KEY = """
consumer = %(consumer)s AND topic_id = %(topic_id)s AND partition = %(partition)s
   AND first_offset = %(first_offset)s AND next_offset = %(next_offset)s
"""
_BEGIN = """
INSERT INTO chunk_attempts (consumer, topic_id, partition, first_offset, next_offset, attempts)
SELECT %(consumer)s, %(topic_id)s, %(partition)s, %(first_offset)s, %(next_offset)s, 1
 WHERE NOT EXISTS (
       SELECT 1 FROM applied_chunks AS c
        WHERE c.consumer = %(consumer)s AND c.topic_id = %(topic_id)s
          AND c.partition = %(partition)s AND c.first_offset = %(first_offset)s
          AND c.next_offset = %(next_offset)s)
   AND NOT EXISTS (
       SELECT 1 FROM consumer_positions AS p
        WHERE p.consumer = %(consumer)s AND p.topic_id = %(topic_id)s
          AND p.partition = %(partition)s AND p.next_offset >= %(next_offset)s)
    ON CONFLICT (consumer, topic_id, partition, first_offset, next_offset)
    DO UPDATE SET attempts = chunk_attempts.attempts + 1, updated_at = now()
RETURNING attempts
"""
_SURVIVED = f"""
UPDATE chunk_attempts SET attempts = attempts - 1, trying = false, updated_at = now()
 WHERE {_KEY}
"""
# NOWAIT: who holds the row lives and is trying; its try is no death.
_LOCK = f"""
SELECT trying_offset, trying, deaths, applied, duplicates, dead FROM chunk_attempts
 WHERE {_KEY} FOR UPDATE
"""
_TRY = f"""
UPDATE chunk_attempts SET trying_offset = %(offset)s, trying = true, deaths = %(deaths)s,
       updated_at = now()
 WHERE {_KEY}
"""
_PASS = f"""
UPDATE chunk_attempts SET trying_offset = %(offset)s, deaths = 0,
       applied = applied + %(applied)s, duplicates = duplicates + %(duplicates)s,
       dead = dead + %(dead)s, updated_at = now()
 WHERE {_KEY}
"""
_FORGET = f"DELETE FROM chunk_attempts WHERE {_KEY}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """How far a chunk that is applied event by event has come.

    `offset` is the event that is tried, the chunk's next_offset after the last, None before the
    first. `deaths` of workers count against this event; `trying` is left behind by a death.
    """

    offset: int | None
    trying: bool
    deaths: int
    applied: int
    duplicates: int
    dead: int


def begin(consumer: Consumer, chunk: Chunk) -> int:
    """Commit one more attempt; how many there are. 0 where the chunk is done already."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BEGIN, key_of(consumer, chunk))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def survived(consumer: Consumer, chunk: Chunk) -> None:
    """Take the attempt back: it failed, but the process lives."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SURVIVED, key_of(consumer, chunk))


def lock(consumer: Consumer, chunk: Chunk, *, wait: bool) -> Trial | None:
    """The trial, held until the transaction ends; None where another worker has finished it.

    Without `wait` a trial that another worker holds is an outage (55P03).
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK if wait else f"{_LOCK} NOWAIT", key_of(consumer, chunk))
        row = cursor.fetchone()
    if row is None:
        return None
    return Trial(
        offset=row[0], trying=row[1], deaths=row[2], applied=row[3], duplicates=row[4], dead=row[5]
    )


def note_try(consumer: Consumer, chunk: Chunk, *, offset: int, deaths: int) -> None:
    """Note in this transaction which event is tried next."""
    values = {"offset": offset, "deaths": deaths}
    with connection.cursor() as cursor:
        cursor.execute(_TRY, {**key_of(consumer, chunk), **values})


def note_pass(
    consumer: Consumer, chunk: Chunk, *, following: int, applied: int, duplicates: int, dead: int
) -> None:
    """Note in the event's transaction what became of it, and which event is tried next."""
    values = {"offset": following, "applied": applied, "duplicates": duplicates, "dead": dead}
    with connection.cursor() as cursor:
        cursor.execute(_PASS, {**key_of(consumer, chunk), **values})


def forget(consumer: Consumer, chunk: Chunk) -> None:
    """The chunk is done: delete its attempts, in the transaction that claims it."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, key_of(consumer, chunk))
