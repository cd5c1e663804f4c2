"""Whether the log holds all that another consumer has applied, and giving up what it lacks."""

from __future__ import annotations

import time
import uuid
from typing import Final

from django.db import connection

from apps.contract.queues import Consumer

# Seconds for the log to catch up with a consumer that stands still; ordinarily ms.
LOG_PATIENCE: Final = 10.0
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
# As far as anybody was in the topic.
_GIVE_UP: Final = """
UPDATE consumer_positions AS p SET next_offset = seen.next_offset, updated_at = now()
  FROM (SELECT partition, max(next_offset) AS next_offset FROM (
          SELECT partition, next_offset FROM applied_chunks WHERE topic_id = %(topic_id)s
          UNION ALL
          SELECT partition, next_offset FROM consumer_positions WHERE topic_id = %(topic_id)s
        ) AS held GROUP BY partition) AS seen
 WHERE p.consumer = %(log)s AND p.topic_id = %(topic_id)s AND p.partition = seen.partition
   AND p.next_offset < seen.next_offset
RETURNING p.partition
"""


class LogBehind(Exception):
    """The log does not hold what a consumer has applied; try again when its queue is drained."""


def log_covers(consumer: Consumer) -> bool:
    """Whether the log holds every event that `consumer` has applied."""
    names = {"consumer": consumer.value, "log": Consumer.LOGGING.value}
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, names)
        return bool(cursor.fetchone()[0] == 0)


def wait_for_the_log(consumer: Consumer) -> None:
    """Of a consumer that stands still: the log is to hold all that it applied. Raises LogBehind."""
    until = time.monotonic() + LOG_PATIENCE
    while not log_covers(consumer):
        if time.monotonic() > until:
            raise LogBehind(f"the log is behind {consumer}; try again when its queue is drained")
        time.sleep(0.02)


def give_up(topic_id: uuid.UUID) -> list[int]:
    """Take it that the log has what it will ever have of a topic that is gone; the partitions.

    A chunk of that topic that logging has not applied yet finds itself done.
    """
    names = {"topic_id": str(topic_id), "log": Consumer.LOGGING.value}
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, names)
        return sorted(row[0] for row in cursor.fetchall())
