"""Events that arrive while something else is under way, at each of its steps."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from django.db import connection

from apps.contract.chunk import Record
from apps.contract.queues import Consumer
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from tests.builders import TOPIC_ID, chunk
from tests.totals import CONSUMERS


def elsewhere(work: Callable[[], object], *, seconds: float = 120) -> None:
    """Do it by another connection, and wait for it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive()
    assert failures == []


@dataclass(kw_only=True)
class Arrivals:
    """Records in the order of arrival, some of them twice, cut into chunks.

    Logging and ranking each come by at their own pace; ranking is never ahead for long.
    """

    records: Sequence[Record]
    chance: random.Random
    arrived: int = 0
    unranked: list[list[Record]] = field(default_factory=list)
    unlogged: list[list[Record]] = field(default_factory=list)

    def arrive(self) -> None:
        """The next chunk is there; nobody has applied it."""
        next_one = self.arrived + self.chance.randrange(1, 9)
        some = list(self.records[self.arrived : next_one])
        if some and self.arrived:
            some.append(self.chance.choice(self.records[: self.arrived]))
        made = [
            msgspec.structs.replace(record, offset=offset)
            for offset, record in enumerate(some, start=self.arrived * 2)
        ]
        self.arrived = min(next_one, len(self.records))
        if made:
            self.unranked.append(made)
            self.unlogged.append(made)

    def rank(self) -> None:
        for records in self.unranked:
            apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk(records))
        self.unranked = []

    def log(self) -> None:
        for records in self.unlogged:
            apply_chunk(CONSUMERS[Consumer.LOGGING], chunk(records))
        if self.unlogged:
            ConsumerPosition.objects.update_or_create(
                consumer=Consumer.LOGGING.value,
                topic_id=TOPIC_ID,
                partition=0,
                defaults={"next_offset": self.unlogged[-1][-1].offset + 1},
            )
        self.unlogged = []

    def some(self) -> None:
        """A chunk arrives, and each consumer may come to what has arrived."""
        self.arrive()
        for work in self.chance.sample([self.rank, self.log], 2):
            if self.chance.random() < 0.6:
                work()

    def all(self) -> None:
        """Until everything has arrived and is applied."""
        while self.arrived < len(self.records):
            self.arrive()
        self.log()
        self.rank()


@dataclass(kw_only=True)
class Meanwhile:
    """Shows nothing; events arrive at each step of what is shown."""

    arrivals: Arrivals
    steps: list[str] = field(default_factory=list)
    at: Callable[[str], object] = lambda title: None

    def begin(self, title: str, total: int) -> None:
        self.steps.append(title)
        elsewhere(self.arrivals.some)
        self.at(title)

    def advance(self, items: int) -> None:
        elsewhere(self.arrivals.some)

    def end(self) -> None:
        elsewhere(self.arrivals.some)
        # What is held still waits for the log.
        elsewhere(self.arrivals.log)
