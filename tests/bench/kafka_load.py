"""A process that writes events to Kafka as the API does: when they are due, or as fast as it can.

`python -m tests.bench.kafka_load <plan as JSON>`. It prints `{"starts_at": ...}` when it is ready
and its report when Kafka has confirmed everything.
"""

from __future__ import annotations

import gc
import json
import resource
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Reported

from tests.bench.child import plan_of
from tests.bench.events import GAMES, PLAYERS, Message, Source
from tests.bench.timetable import Timetable

TICK: Final = 0.002  # seconds between two looks at what is due
TRIAL: Final = 500  # events, from which the time to make all is guessed
FLUSH_SECONDS: Final = 60.0


class Plan(msgspec.Struct, kw_only=True, frozen=True):
    """`rate` in events a second, 0: all at once; `batch` events are due at the same moment.

    `ahead`: how many are made before the start.
    """

    servers: str
    topic: str
    events: int
    rate: float = 0.0
    batch: int = 1
    ahead: int = 1_000_000
    seed: int = 1
    games: int = GAMES
    players: int = PLAYERS


@dataclass(kw_only=True)
class Report:
    """`late` are seconds behind the schedule at which the client library was given an event, `cpu`
    seconds from the start on."""

    failed: int = 0
    late_p99: float = 0.0
    late_max: float = 0.0
    cpu: float = 0.0


@dataclass(kw_only=True)
class Load:
    """One run of a plan."""

    plan: Plan
    source: Source = field(init=False)
    report: Report = field(default_factory=Report)
    _made: deque[Message] = field(default_factory=deque)
    _count: int = 0
    _timetable: Timetable = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        self._timetable = Timetable(events=plan.events, rate=plan.rate, batch=plan.batch)
        self.source = Source(seed=plan.seed, games=plan.games, players=plan.players)
        # As apps.ingest.publisher: what is measured is the same client's way.
        self._producer = Producer(
            {
                "bootstrap.servers": plan.servers,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 2,
                "queue.buffering.max.messages": 200_000,
                # A call for each event would cost the machine that is measured some of its time.
                "delivery.report.only.error": True,
                "on_delivery": self._failed,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        self._producer.list_topics(self.plan.topic, timeout=30)
        self._prepare()
        print(json.dumps({"starts_at": self._timetable.starts_at}), flush=True)
        # What was made lives on: no pause of the collector may look at all of it.
        gc.collect()
        gc.freeze()
        time.sleep(max(0.0, self._timetable.starts_at - time.time()))
        before = _cpu()
        late = self._send_all()
        report = self.report
        report.failed += self._producer.flush(FLUSH_SECONDS)
        report.cpu = _cpu() - before
        if late:
            late.sort()
            report.late_p99, report.late_max = late[int(len(late) * 0.99)], late[-1]
        print(json.dumps(asdict(report)), flush=True)

    def _prepare(self) -> None:
        """Make events for a start that lies behind the making, by a guess with some room."""
        plan = self.plan
        ahead = min(plan.ahead, plan.events)
        began = time.time()
        trial = Source(seed=plan.seed, games=plan.games, players=plan.players)
        for _ in range(TRIAL):
            trial.message(began)
        self._timetable.starts_at = time.time() + 0.5 + 1.5 * ahead * (time.time() - began) / TRIAL
        while self._count < ahead:
            self._make()
        # Sooner than that where the guess was too high; the events' own times are then ahead by
        # less than what any rule of ours looks at. Later, where it was too low.
        self._timetable.starts_at = max(self._timetable.starts_at, time.time() + 0.1)

    def _make(self) -> None:
        self._made.append(self.source.message(self._timetable.due(self._count)))
        self._count += 1

    def _send_all(self) -> list[float]:
        """Send each event when it is due, whatever became of those before it; how late it was."""
        sent, total, rate, late = 0, self.plan.events, self.plan.rate, []
        while True:
            began = time.time()
            due = self._timetable.due_by(began)
            if due > sent:
                oldest = self._timetable.due(sent)
                while sent < due:
                    self._send()
                    sent += 1
                if rate:
                    late.append(time.time() - oldest)
            self._producer.poll(0)
            if sent == total:
                return late
            self._use_time_until(max(began + TICK, self._timetable.due(sent)))

    def _use_time_until(self, until: float) -> None:
        while self._count < self.plan.events and len(self._made) < self.plan.ahead:
            if time.time() >= until - TICK / 2:
                break
            self._make()
        time.sleep(max(0.0, until - time.time()))

    def _send(self) -> None:
        if not self._made:
            self._make()
        key, value, headers = self._made.popleft()
        while True:
            try:
                self._producer.produce(self.plan.topic, key=key, value=value, headers=headers)
            except BufferError:
                self._producer.poll(0.01)
            else:
                return

    def _failed(self, error: KafkaError | None, _: Reported) -> None:
        if error is not None:
            self.report.failed += 1


def _cpu() -> float:
    used: Any = resource.getrusage(resource.RUSAGE_SELF)
    return float(used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    Load(plan=plan_of(Plan)).run()
