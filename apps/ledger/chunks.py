"""Set-based access to the applied-chunk ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from apps.database.prepared import Prepared, array

_KEY_TYPES: Final = {
    "consumer": "text",
    "topic_id": "uuid",
    "partition": "integer",
    "first_offset": "bigint",
    "next_offset": "bigint",
}
_ROW_TYPES: Final = {
    **_KEY_TYPES,
    "applied": "integer",
    "duplicates": "integer",
    "dead": "integer",
    "cached": "boolean",
}
_KEY: Final = """
consumer = %(consumer)s AND topic_id = %(topic_id)s AND partition = %(partition)s
   AND first_offset = %(first_offset)s AND next_offset = %(next_offset)s
"""
# Below the consumer's position the chunk's own row may be pruned: the position says done as well.
# In order, so that two messages with common chunks cannot deadlock.
_CLAIM: Final = Prepared(
    "claim_chunks",
    {
        "consumer": "text",
        "topic_ids": "uuid[]",
        "partitions": "integer[]",
        "first_offsets": "bigint[]",
        "next_offsets": "bigint[]",
        "events": "integer[]",
        "cached": "boolean",
    },
    """
INSERT INTO applied_chunks (consumer, topic_id, partition, first_offset, next_offset,
                            applied, duplicates, dead, cached)
SELECT %(consumer)s, c.topic_id, c.partition, c.first_offset, c.next_offset, c.events, 0, 0,
       %(cached)s
  FROM unnest(%(topic_ids)s, %(partitions)s, %(first_offsets)s, %(next_offsets)s, %(events)s)
       AS c(topic_id, partition, first_offset, next_offset, events)
 WHERE NOT EXISTS (
       SELECT 1 FROM consumer_positions AS p
        WHERE p.consumer = %(consumer)s AND p.topic_id = c.topic_id
          AND p.partition = c.partition AND p.next_offset >= c.next_offset)
 ORDER BY c.topic_id, c.partition, c.first_offset, c.next_offset
    ON CONFLICT DO NOTHING
""",
)
_COUNT: Final = Prepared(
    "count_chunk",
    _ROW_TYPES,
    f"""
UPDATE applied_chunks SET applied = %(applied)s, duplicates = %(duplicates)s, dead = %(dead)s,
       cached = %(cached)s
 WHERE {_KEY}
""",
)
# What is sent together is its own transaction, without the BEGIN and COMMIT of a block. Not worth
# waiting for the disk: lost, it only costs one more Redis write.
_CACHED: Final = Prepared(
    "mark_chunk_cached",
    _KEY_TYPES,
    f"""
UPDATE applied_chunks SET cached = true
  FROM (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried(setting)
 WHERE {_KEY} AND NOT cached AND unhurried.setting = 'off'
""",
)
_AWAITS_CACHE: Final = Prepared(
    "chunk_awaits_cache",
    _KEY_TYPES,
    f"SELECT 1 FROM applied_chunks WHERE {_KEY} AND NOT cached",
)


def claim(consumer: Consumer, chunks: Sequence[Chunk]) -> int:
    """Claim the chunks in this transaction; how many of them were not done already.

    A row says what most chunks come to; `count` must follow in the same transaction. Waits while
    another transaction holds one of the claims.
    """
    return _CLAIM.execute(
        {
            "consumer": consumer.value,
            "topic_ids": array(chunk.topic_id for chunk in chunks),
            "partitions": array(chunk.partition for chunk in chunks),
            "first_offsets": array(chunk.first_offset for chunk in chunks),
            "next_offsets": array(chunk.next_offset for chunk in chunks),
            "events": array(chunk.events for chunk in chunks),
            "cached": _needs_no_cache(consumer),
        }
    )


def awaits_cache(consumer: Consumer, chunk: Chunk) -> bool:
    """Whether a chunk that is done has still to be written to Redis, as far as is known.

    Below the consumer's position nothing has: the position waits for Redis.
    """
    return bool(_AWAITS_CACHE.fetch(key_of(consumer, chunk)))


def count(
    consumer: Consumer, chunk: Chunk, *, applied: int, duplicates: int, dead: int, cached: bool
) -> None:
    """Note in the claimed chunk what became of its events; `cached`: Redis needs no write."""
    counts = {"applied": applied, "duplicates": duplicates, "dead": dead, "cached": cached}
    if counts != _expected(consumer, chunk):
        _COUNT.execute({**key_of(consumer, chunk), **counts})


def _expected(consumer: Consumer, chunk: Chunk) -> dict[str, int | bool]:
    """All events applied, and Redis to be written by who has a cache at all."""
    cached = _needs_no_cache(consumer)
    return {"applied": chunk.events, "duplicates": 0, "dead": 0, "cached": cached}


def _needs_no_cache(consumer: Consumer) -> bool:
    return consumer is Consumer.LOGGING


def mark_cached(consumer: Consumer, chunks: Iterable[Chunk]) -> None:
    """Note that Redis has what the chunks changed; the bridge sends them again until then."""
    # In order: two workers with common chunks wait for each other, and neither for ever.
    ordered = sorted(chunks, key=lambda chunk: (chunk.partition, chunk.first_offset))
    _CACHED.execute_each(key_of(consumer, chunk) for chunk in ordered)


def key_of(consumer: Consumer, chunk: Chunk) -> dict[str, str | int]:
    """The parameters that name a chunk of a consumer in SQL."""
    return {
        "consumer": consumer.value,
        "topic_id": str(chunk.topic_id),
        "partition": chunk.partition,
        "first_offset": chunk.first_offset,
        "next_offset": chunk.next_offset,
    }
