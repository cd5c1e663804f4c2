"""The bridge looks at the ledger 50 times a second, whatever the hour's chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import connection

from apps.contract.queues import Consumer
from bridge import pruning
from bridge.ledger import PostgresLedger
from tests.builders import TOPIC_ID
from tests.database import dsn
from tests.plans import explained, rows_read, scans

pytestmark = pytest.mark.django_db(transaction=True)
TABLE = "applied_chunks"
CHUNKS = 20_000
_FILL = """
INSERT INTO applied_chunks (consumer, topic_id, partition, first_offset, next_offset, applied,
                            duplicates, dead, cached)
SELECT consumer, %s, 0, 10 * n, 10 * n + 10, 10, 0, 0, true
  FROM unnest(%s) AS consumer, generate_series(0, %s - 1) AS n
"""


LAST = 10 * CHUNKS - 10
LOW = {(consumer, 0): LAST for consumer in Consumer}


@pytest.fixture
def ledger() -> Iterator[PostgresLedger]:
    with closing(PostgresLedger(dsn())) as made:
        yield made


def fill() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [TOPIC_ID, [consumer.value for consumer in Consumer], CHUNKS])


def test_what_is_old_is_looked_for_among_the_oldest_alone(ledger: PostgresLedger) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE applied_chunks; ANALYZE applied_chunks")
    assert ledger.applied(TOPIC_ID, LOW) == []
    assert ledger.prune(TOPIC_ID) == 0
    fill()
    ledger.positions(TOPIC_ID, {0: LAST})
    with ledger._cursor() as cursor:
        top = explained(cursor, "EXECUTE prune(%s, '{}', '{}', '{}')", [str(TOPIC_ID)])
    assert rows_read(top["Plan"], TABLE) == len(Consumer) * pruning.WINDOW


def test_a_look_is_not_compiled_however_much_the_planner_expects(ledger: PostgresLedger) -> None:
    """It expects a third of the table, so from some 200,000 chunks on it compiled each look."""
    with ledger._cursor() as cursor:
        cursor.execute("SET jit_above_cost = 0")
        found = look(cursor)
    assert "JIT" not in found


def test_no_statement_of_a_worker_or_a_page_is_compiled() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET jit_above_cost = 0")
        found = explained(cursor, "SELECT sum(applied) FROM applied_chunks")
        cursor.execute("RESET jit_above_cost")
    assert "JIT" not in found


def looked_at(ledger: PostgresLedger) -> int:
    """Rows of the table that one look from the last chunks on came by, by its key."""
    with ledger._cursor() as cursor:
        plan = look(cursor)["Plan"]
    by = {(node["Node Type"], node.get("Index Name")) for node in scans(plan, TABLE)}
    assert by == {("Index Scan", "applied_chunks_pkey")}
    return rows_read(plan, TABLE)


def look(cursor: Any) -> dict[str, Any]:
    """How a look from the last chunks on is done."""
    consumers = [consumer.value for consumer in Consumer]
    return explained(
        cursor,
        "EXECUTE applied(%s, %s, %s, %s)",
        [str(TOPIC_ID), consumers, [0, 0, 0], [LAST] * 3],
    )


def test_a_look_reads_what_is_new_and_not_the_table(ledger: PostgresLedger) -> None:
    fill()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE applied_chunks")
    assert sorted(ledger.applied(TOPIC_ID, LOW)) == sorted(
        (consumer, 0, LAST, LAST + 10) for consumer in Consumer
    )
    assert looked_at(ledger) == len(Consumer)


def test_a_look_that_was_planned_on_an_empty_table_reads_no_more(ledger: PostgresLedger) -> None:
    """As a bridge's on a new database: nothing makes it plan anew until autovacuum comes by."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE applied_chunks; ANALYZE applied_chunks")
    assert ledger.applied(TOPIC_ID, LOW) == []
    fill()
    assert looked_at(ledger) == len(Consumer)
