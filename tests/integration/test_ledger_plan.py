"""The bridge looks at the ledger 50 times a second, whatever the hour's chunks."""

from __future__ import annotations

import pytest
from django.db import connection

from apps.contract.queues import Consumer
from bridge.ledger import PostgresLedger
from tests.builders import TOPIC_ID
from tests.database import dsn

pytestmark = pytest.mark.django_db(transaction=True)
CHUNKS = 20_000
_FILL = """
INSERT INTO applied_chunks (consumer, topic_id, partition, first_offset, next_offset, applied,
                            duplicates, dead, cached)
SELECT consumer, %s, 0, 10 * n, 10 * n + 10, 10, 0, 0, true
  FROM unnest(%s) AS consumer, generate_series(0, %s - 1) AS n
"""


def test_a_look_reads_what_is_new_and_not_the_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [TOPIC_ID, [consumer.value for consumer in Consumer], CHUNKS])
        cursor.execute("ANALYZE applied_chunks")
    ledger = PostgresLedger(dsn())
    last = 10 * CHUNKS - 10
    found = ledger.applied(TOPIC_ID, {(consumer, 0): last for consumer in Consumer})
    assert sorted(found) == sorted((consumer, 0, last, last + 10) for consumer in Consumer)
    with ledger._cursor() as cursor:
        cursor.execute(
            "EXPLAIN EXECUTE applied(%s, %s, %s, %s)",
            [str(TOPIC_ID), [Consumer.STATS.value], [0], [last]],
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    ledger.close()
    assert "Index Scan using applied_chunks_pkey" in plan
