"""One run against a stack: where it is, how far its consumers are, what its workers measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from apps.contract.queues import Consumer
from apps.demo import latency
from apps.demo.database import Database
from apps.demo.latency import Histogram
from apps.demo.pacing import NOTICE, Pacer
from apps.demo.positions import Positions, wait_until_applied
from apps.demo.progress import Sample, display, measured, shown
from apps.demo.stack_env import StackEnv
from apps.demo.stream import Batch, Tally, send_all
from apps.demo.topic import Topic


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A run's times; latency is None for a worker whose metrics could not be read."""

    accepted_seconds: float
    applied_seconds: float
    latencies: Mapping[Consumer, Histogram]


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What both commands do: send, wait until all is applied, measure."""

    console: Console
    env: StackEnv
    database: Database
    positions: Positions

    @classmethod
    @contextmanager
    def opened(cls, env: StackEnv, kafka: Mapping[str, Any], console: Console) -> Iterator[Session]:
        """`kafka` are librdkafka's settings, to which the stack's address is added."""
        client = {**kafka, "bootstrap.servers": env.bootstrap_servers}
        with closing(Database(env.database_url)) as database:
            positions = Positions(topic=Topic(client, env.topic), database=database)
            yield cls(console=console, env=env, database=database, positions=positions)

    def run(
        self,
        lanes: Sequence[Iterable[Batch]],
        total: int,
        tally: Tally,
        *,
        stop: threading.Event | None = None,
        paced: bool = False,
    ) -> Measured:
        """Send all, and return when all three consumers have applied it. Raises Failed.

        `paced` holds back while the consumers are far behind; a broker in memory always does.
        """
        before = latency.scrape(self.env.metrics_urls)
        began = time.monotonic()
        self._send(lanes, total, tally, stop or threading.Event(), paced)
        accepted = time.monotonic()
        self._wait(total)
        applied = time.monotonic()
        after = latency.scrape(self.env.metrics_urls)
        return Measured(
            accepted_seconds=accepted - began,
            applied_seconds=applied - began,
            latencies={
                consumer: histogram.since(before.get(consumer, latency.EMPTY))
                for consumer, histogram in after.items()
            },
        )

    def _send(
        self,
        lanes: Sequence[Iterable[Batch]],
        total: int,
        tally: Tally,
        stop: threading.Event,
        paced: bool,
    ) -> None:
        pacer = Pacer(self.positions.lag)
        in_memory = self.positions.topic.in_memory
        if in_memory:
            self.console.print(f"  {NOTICE}", style="yellow", highlight=False, soft_wrap=True)

        def sample() -> Sample:
            return Sample(done=tally.accepted, lag=measured(self.positions.lag))

        with shown(display(self.console, "accepted", total), sample):
            send_all(
                self.env.api_url,
                lanes,
                tally,
                before_each=pacer.wait if paced or in_memory else _at_once,
                stop=stop,
            )

    def _wait(self, total: int) -> None:
        """Until the consumers have passed what is in the topic now, after the last 202."""
        ends = self.positions.topic.ends()

        def left() -> int:
            return max(self.positions.behind(ends).values())

        def sample() -> Sample:
            lag = measured(left)
            return Sample(done=max(0, total - (lag or 0)), lag=lag)

        with shown(display(self.console, "applied ", total), sample):
            wait_until_applied(lambda: self.positions.behind(ends))


def _at_once() -> None:
    """No pacing."""
