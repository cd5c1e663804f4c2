"""What the consumers have applied, as PostgreSQL has it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import psycopg2
from psycopg2.extras import execute_values

from apps.contract.queues import Consumer
from bridge import pruning
from bridge.database import Database

Positions = dict[int, dict[Consumer, int]]  # partition -> consumer -> next offset


class LedgerUnavailable(Exception):
    """PostgreSQL does not answer; what we know of positions may be older than it."""


class PositionMoved(Exception):
    """A position is not what we left: another bridge owns the partition, or PostgreSQL went
    back in time (failover). Start over from its positions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advance:
    """A position to move, from what we last saw to what is applied."""

    consumer: Consumer
    partition: int
    old: int
    new: int


class Ledger(Protocol):
    """The applied-chunk ledger and the positions of the consumers."""

    def positions(self, topic_id: uuid.UUID, starts: Mapping[int, int]) -> Positions:
        """Positions of the partitions; one that has none begins at its start."""

    def applied(
        self, topic_id: uuid.UUID, watermarks: Mapping[tuple[Consumer, int], int]
    ) -> list[tuple[Consumer, int, int, int]]:
        """(consumer, partition, first_offset, next_offset) of chunks that begin at or beyond
        the watermarks, and whose changes Redis has."""

    def advance(self, topic_id: uuid.UUID, advances: Iterable[Advance]) -> None:
        """Move positions by compare-and-set, all or none. Raises PositionMoved."""

    def prune(self, topic_id: uuid.UUID) -> int:
        """Forget some chunks far below the positions, and attempts at them; how many chunks."""

    def close(self) -> None:
        """Let the connection go; the next call makes a new one."""


_SEED: Final = """
INSERT INTO consumer_positions (consumer, topic_id, partition, next_offset) VALUES %s
    ON CONFLICT DO NOTHING
"""
_POSITIONS: Final = """
SELECT consumer, partition, next_offset FROM consumer_positions
 WHERE topic_id = %s AND partition = ANY(%s)
"""
# LATERAL and OFFSET 0, since the plan is made once: of a table that was empty then, the planner
# took all of the topic's chunks and looked among the watermarks for each (50 times a second, 30 %
# of a core after half a minute), until autovacuum came by.
_APPLIED: Final = """
PREPARE applied(uuid, text[], int[], bigint[]) AS
SELECT low.consumer, low.partition, c.first_offset, c.next_offset
  FROM unnest($2, $3, $4) AS low(consumer, partition, next_offset)
 CROSS JOIN LATERAL (
       SELECT a.first_offset, a.next_offset FROM applied_chunks AS a
        WHERE a.consumer = low.consumer AND a.topic_id = $1 AND a.partition = low.partition
          AND a.first_offset >= low.next_offset AND a.cached OFFSET 0) AS c
"""
# The planner takes a third of the table to lie beyond each offset, where there are a few rows. It
# read the whole hour of chunks, 50 times a second (1.8 ms for 8,000 chunks, and it grew).
_BY_INDEX: Final = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
_ADVANCE: Final = """
UPDATE consumer_positions AS p SET next_offset = v.new, updated_at = now()
  FROM (VALUES %s) AS v(consumer, partition, old, new)
 WHERE p.topic_id = '{topic_id}' AND p.consumer = v.consumer AND p.partition = v.partition
   AND p.next_offset = v.old
"""


class PostgresLedger:
    """The ledger in PostgreSQL; one autocommit connection, made when needed.

    Every statement is bounded by time, since it runs between two polls of Kafka.
    """

    def __init__(self, dsn: str) -> None:
        self._database = Database(
            dsn=dsn,
            name="gamemetrics-bridge",
            seconds=5,
            lock_seconds=5,
            autocommit=True,
            settings=_BY_INDEX,
            prepared=f"{_APPLIED}; {pruning.PREPARE}",
        )
        self._pruning = pruning.Pruning()

    def positions(self, topic_id: uuid.UUID, starts: Mapping[int, int]) -> Positions:
        seeds = [
            (consumer.value, str(topic_id), partition, start)
            for consumer in Consumer
            for partition, start in starts.items()
        ]
        with self._cursor() as cursor:
            execute_values(cursor, _SEED, seeds, template="(%s, %s::uuid, %s, %s)")
            cursor.execute(_POSITIONS, [str(topic_id), list(starts)])
            found: Positions = {partition: {} for partition in starts}
            for consumer, partition, next_offset in cursor.fetchall():
                found[partition][Consumer(consumer)] = next_offset
        return found

    def applied(
        self, topic_id: uuid.UUID, watermarks: Mapping[tuple[Consumer, int], int]
    ) -> list[tuple[Consumer, int, int, int]]:
        if not watermarks:
            return []
        places = (
            [consumer.value for consumer, _ in watermarks],
            [partition for _, partition in watermarks],
            list(watermarks.values()),
        )
        with self._cursor() as cursor:
            cursor.execute("EXECUTE applied(%s, %s, %s, %s)", [str(topic_id), *places])
            return [(Consumer(row[0]), row[1], row[2], row[3]) for row in cursor.fetchall()]

    def advance(self, topic_id: uuid.UUID, advances: Iterable[Advance]) -> None:
        values = sorted((a.consumer.value, a.partition, a.old, a.new) for a in advances)
        if not values:
            return
        with self._cursor() as cursor:
            cursor.execute("BEGIN")
            query = _ADVANCE.format(topic_id=topic_id)
            execute_values(cursor, query, values, page_size=len(values))
            missed = len(values) - cursor.rowcount
            cursor.execute("ROLLBACK" if missed else "COMMIT")
        if missed:
            raise PositionMoved(f"{missed} positions are not where we left them")

    def prune(self, topic_id: uuid.UUID) -> int:
        with self._cursor() as cursor:
            return self._pruning.run(cursor, topic_id)

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """A cursor; whatever fails is an outage of the ledger."""
        try:
            with self._database.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            self._pruning.forget_places()
            raise LedgerUnavailable(str(error).strip()) from error
