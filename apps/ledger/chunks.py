"""Set-based access to the applied-chunk ledger."""

from __future__ import annotations

from django.db import connection, transaction

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer

# Below the consumer's position the chunk's own row may be pruned: the position says done as well.
_CLAIM = """
INSERT INTO applied_chunks (consumer, topic_id, partition, first_offset, next_offset,
                            applied, duplicates, dead)
SELECT %(consumer)s, %(topic_id)s, %(partition)s, %(first_offset)s, %(next_offset)s, 0, 0, 0
 WHERE NOT EXISTS (
       SELECT 1 FROM consumer_positions AS p
        WHERE p.consumer = %(consumer)s AND p.topic_id = %(topic_id)s
          AND p.partition = %(partition)s AND p.next_offset >= %(next_offset)s)
    ON CONFLICT DO NOTHING
"""
_COUNT = """
UPDATE applied_chunks SET applied = %(applied)s, duplicates = %(duplicates)s, dead = %(dead)s,
       cached = %(cached)s
 WHERE consumer = %(consumer)s AND topic_id = %(topic_id)s AND partition = %(partition)s
   AND first_offset = %(first_offset)s AND next_offset = %(next_offset)s
"""
_CACHED = """
UPDATE applied_chunks SET cached = true
 WHERE consumer = %(consumer)s AND topic_id = %(topic_id)s AND partition = %(partition)s
   AND first_offset = %(first_offset)s AND next_offset = %(next_offset)s AND NOT cached
"""


def claim(consumer: Consumer, chunk: Chunk) -> bool:
    """Claim the chunk in this transaction; False where it is done already.

    Waits while another transaction holds the same claim.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, key_of(consumer, chunk))
        return bool(cursor.rowcount)


def count(
    consumer: Consumer, chunk: Chunk, *, applied: int, duplicates: int, dead: int, cached: bool
) -> None:
    """Note in the claimed chunk what became of its events; `cached`: Redis needs no write."""
    counts = {"applied": applied, "duplicates": duplicates, "dead": dead, "cached": cached}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {**key_of(consumer, chunk), **counts})


def mark_cached(consumer: Consumer, chunk: Chunk) -> None:
    """Note that Redis has what the chunk changed; the bridge sends it again until then."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Not worth waiting for the disk: lost, it only costs one more Redis write.
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(_CACHED, key_of(consumer, chunk))


def key_of(consumer: Consumer, chunk: Chunk) -> dict[str, str | int]:
    """The parameters that name a chunk of a consumer in SQL."""
    return {
        "consumer": consumer.value,
        "topic_id": str(chunk.topic_id),
        "partition": chunk.partition,
        "first_offset": chunk.first_offset,
        "next_offset": chunk.next_offset,
    }
