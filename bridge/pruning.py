"""Forgetting applied chunks, some at a time and from the oldest on, and attempts at them.

The ledger keeps an hour of chunks, a million and more of a steady stream. To look through them for
those that are older took 0.14 s for 250,000, in the bridge's one thread, once a minute.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from apps.contract.queues import Consumer

# Chunks of a consumer and partition that are looked at in a pass: more than come meanwhile, at 50
# cuts a second.
WINDOW: Final = 200
# An hour: what an operator looks at after an incident. A late task below the position finds its
# chunk done by the position alone. The limit comes before the question, or it would be asked of
# chunk after chunk until so many are old enough. Attempts go at once: a position that is past the
# chunk says done, whatever was attempted.
PREPARE: Final = f"""
PREPARE prune(uuid, text[], int[], bigint[]) AS
WITH oldest AS MATERIALIZED (
  SELECT p.consumer, p.partition, c.place, c.first_offset,
         c.next_offset <= p.next_offset AND c.applied_at < now() - interval '1 hour' AS over
    FROM consumer_positions AS p
    LEFT JOIN unnest($2, $3, $4) AS low(consumer, partition, first_offset)
      ON low.consumer = p.consumer AND low.partition = p.partition
   CROSS JOIN LATERAL (
         SELECT a.ctid AS place, a.first_offset, a.next_offset, a.applied_at
           FROM applied_chunks AS a
          WHERE a.consumer = p.consumer AND a.topic_id = p.topic_id AND a.partition = p.partition
            AND a.first_offset >= coalesce(low.first_offset, 0)
          ORDER BY a.first_offset, a.next_offset LIMIT {WINDOW}) AS c
   WHERE p.topic_id = $1
), gone AS (
  DELETE FROM applied_chunks WHERE ctid = ANY (ARRAY(SELECT place FROM oldest WHERE over))
  RETURNING 1
), attempts AS (
  DELETE FROM chunk_attempts AS a USING consumer_positions AS p
   WHERE a.topic_id = $1 AND p.topic_id = a.topic_id AND p.consumer = a.consumer
     AND p.partition = a.partition AND a.next_offset <= p.next_offset
)
SELECT consumer, partition, coalesce(min(first_offset) FILTER (WHERE NOT over), max(first_offset)),
       (SELECT count(*) FROM gone)
  FROM oldest GROUP BY consumer, partition
"""


class Pruning:
    """Where the next pass begins.

    Below that an index still holds what was deleted, until autovacuum comes by; to walk over it
    once a second would cost more than all the rest.
    """

    def __init__(self) -> None:
        self._topic_id: uuid.UUID | None = None
        self._lows: dict[tuple[Consumer, int], int] = {}

    def forget_places(self) -> None:
        """PostgreSQL may have gone back in time: begin with the oldest again."""
        self._lows.clear()

    def run(self, cursor: Any, topic_id: uuid.UUID) -> int:
        """One pass, as a statement of its own; how many chunks it deleted."""
        if topic_id != self._topic_id:
            self._topic_id, self._lows = topic_id, {}
        lows = (
            [consumer.value for consumer, _ in self._lows],
            [partition for _, partition in self._lows],
            list(self._lows.values()),
        )
        cursor.execute("EXECUTE prune(%s, %s, %s, %s)", [str(topic_id), *lows])
        deleted = 0
        for consumer, partition, low, gone in cursor.fetchall():
            self._lows[Consumer(consumer), partition] = low
            deleted = gone
        return deleted
