"""Whether the log holds all that another consumer has applied."""

from __future__ import annotations

from typing import Final

from django.db import connection

from apps.contract.queues import Consumer

# Every range that the consumer applied must be behind the log's low watermark: only then does the
# log hold all that the consumer has seen.
_BEHIND: Final = """
SELECT count(*) FROM (
  SELECT topic_id, partition, max(next_offset) AS next_offset FROM (
    SELECT topic_id, partition, next_offset FROM applied_chunks WHERE consumer = %(consumer)s
    UNION ALL
    SELECT topic_id, partition, next_offset FROM consumer_positions WHERE consumer = %(consumer)s
  ) AS seen GROUP BY topic_id, partition
) AS applied
LEFT JOIN consumer_positions AS log
  ON log.consumer = %(log)s AND log.topic_id = applied.topic_id
 AND log.partition = applied.partition
WHERE log.next_offset IS NULL OR log.next_offset < applied.next_offset
"""


def log_covers(consumer: Consumer) -> bool:
    """Whether the log holds every event that `consumer` has applied."""
    names = {"consumer": consumer.value, "log": Consumer.LOGGING.value}
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, names)
        return bool(cursor.fetchone()[0] == 0)
