"""A process that sees when chunks are committed and cached, as any reader of PostgreSQL would.

`python -m tests.bench.observer <plan as JSON>`. A look is one index scan of the ledger's newest
rows, a few times in ten milliseconds: what it sees is late by at most the interval, and never
early. A chunk is visible only when its transaction, with all of its effects, is committed and
flushed. Its CPU and its backend's are counted apart.

It prints `{"backend": pid}`, then `{"first": time}` at the first chunk, and takes one line,
`{"<partition>": end, ...}`: at these ends it stops, writes what it saw and prints its report. It
keeps its connection until standard input is closed, so that its backend's CPU can be read.
"""

from __future__ import annotations

import json
import os
import resource
import select
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg2

from apps.contract.queues import Consumer
from tests.bench.child import plan_of

_PREPARE: Final = """
PREPARE look(text[], int[], bigint[]) AS
SELECT c.consumer, c.partition, c.first_offset, c.next_offset, c.cached
  FROM unnest($1, $2, $3) AS low(consumer, partition, first_offset)
 CROSS JOIN LATERAL (
       SELECT consumer, partition, first_offset, next_offset, cached FROM applied_chunks
        WHERE consumer = low.consumer AND topic_id = '{topic_id}'
          AND partition = low.partition AND first_offset >= low.first_offset
       OFFSET 0) AS c
"""
# Its tables are small or just emptied, and a plan is made only once.
_OPTIONS: Final = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off"
    " -c jit=off -c statement_timeout=10000"
)


class Plan(msgspec.Struct, kw_only=True, frozen=True):
    """`starts` are offsets by partition; `interval` seconds between two looks; `consumers` those
    that are looked at."""

    dsn: str
    topic_id: str
    starts: dict[int, int]
    interval: float
    result: str
    consumers: tuple[str, ...] = tuple(consumer.value for consumer in Consumer)


class Seen(msgspec.Struct, kw_only=True, array_like=True):
    """A chunk of one consumer; times in seconds since 1970, 0 while not seen."""

    consumer: str
    partition: int
    first_offset: int
    next_offset: int
    committed_at: float
    cached_at: float = 0.0


class Report(msgspec.Struct, kw_only=True, frozen=True):
    """`cpu` are seconds of the observer's own process."""

    cpu: float
    looks: int
    chunks: int


class Observer:
    """Looks until every consumer is at the ends that it is told."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._connection = psycopg2.connect(plan.dsn, options=_OPTIONS)
        self._connection.autocommit = True
        self._cursor: Any = self._connection.cursor()
        self._cursor.execute(_PREPARE.format(topic_id=plan.topic_id))
        # Everything before is cached, so that no look sees it again.
        self._lows = {(c, p): start for c in plan.consumers for p, start in plan.starts.items()}
        self._query = self._text()
        self._open: dict[tuple[str, int], dict[int, Seen]] = defaultdict(dict)
        self._after: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
        self._ends: dict[int, int] | None = None
        self.seen: list[Seen] = []
        self.looks = 0

    def run(self) -> None:
        _say({"backend": self._connection.info.backend_pid})
        told_first = False
        while self._ends is None or not self._is_over(self._ends):
            began = time.monotonic()
            self._look()
            if self.seen and not told_first:
                _say({"first": self.seen[0].committed_at})
                told_first = True
            self._listen(max(0.0, began + self._plan.interval - time.monotonic()))
        Path(self._plan.result).write_bytes(msgspec.json.encode(self.seen))
        used: Any = resource.getrusage(resource.RUSAGE_SELF)
        cpu = float(used.ru_utime + used.ru_stime)
        report = Report(cpu=cpu, looks=self.looks, chunks=len(self.seen))
        _say(msgspec.to_builtins(report))
        sys.stdin.read()

    def _look(self) -> None:
        self._cursor.execute(self._query)
        # Read after the answer: never before the moment that the answer speaks of.
        now = time.time()
        self.looks += 1
        for consumer, partition, first, following, cached in self._cursor.fetchall():
            key = (consumer, partition)
            chunk = self._open[key].get(first)
            if chunk is None:
                if first in self._after[key]:
                    continue
                chunk = Seen(
                    consumer=consumer,
                    partition=partition,
                    first_offset=first,
                    next_offset=following,
                    committed_at=now,
                )
                self._open[key][first] = chunk
                self.seen.append(chunk)
            if cached:
                chunk.cached_at = now
                del self._open[key][first]
                self._after[key][first] = following
                self._advance(key)

    def _advance(self, key: tuple[str, int]) -> None:
        """Move the low watermark over the cached chunks that follow on it."""
        after, low = self._after[key], self._lows[key]
        while low in after:
            low = after.pop(low)
        self._lows[key] = low
        self._query = self._text()

    def _text(self) -> str:
        """The look from where we are; kept, since most looks find nothing new."""
        columns = (
            (consumer for consumer, _ in self._lows),
            (str(partition) for _, partition in self._lows),
            (str(low) for low in self._lows.values()),
        )
        arrays = ", ".join(f"'{{{','.join(column)}}}'" for column in columns)
        return f"EXECUTE look({arrays})"

    def _is_over(self, ends: dict[int, int]) -> bool:
        return all(low >= ends[partition] for (_, partition), low in self._lows.items())

    def _listen(self, seconds: float) -> None:
        """Wait, and take the ends if they come; ends itself where nobody would be told."""
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        if ready:
            line = os.read(sys.stdin.fileno(), 65536)
            if not line:
                sys.exit("nobody waits for what is seen")
            self._ends = msgspec.json.decode(line, type=dict[int, int])


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    Observer(plan_of(Plan)).run()
