"""A process that sends HTTP requests: when they are due (open loop), or one after the other.

`python -m tests.bench.http_load <plan as JSON>`. It prints `{"starts_at": ...}` when it is ready
and its report when everything is answered or given up.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

import msgspec

from gamemetrics.stack.ports import HOST
from tests.bench.child import plan_of
from tests.bench.events import GAMES, PLAYERS, Source
from tests.bench.figures import Quantiles
from tests.bench.http_client import Pool
from tests.bench.timetable import Timetable

TRIAL: Final = 10  # requests, from which the time to make all is guessed
# Bodies of a closed loop, over and over: nothing consumes what it sends.
POOL_OF_BODIES: Final = 500
WARMING_SECONDS: Final = 0.5


class Plan(msgspec.Struct, kw_only=True, frozen=True):
    """POST of `batch` events each, or GET of `paths` in turn.

    `rate` in requests a second for `requests` of them; 0: each connection sends its next request
    when it has its answer, for `seconds`. `patience` in seconds after the last one was due.
    """

    port: int
    connections: int
    requests: int = 0
    rate: float = 0.0
    seconds: float = 0.0
    batch: int = 0
    paths: list[str] = []
    patience: float = 15.0
    seed: int = 1
    games: int = GAMES
    players: int = PLAYERS


@dataclass(kw_only=True)
class Report:
    """`answer` is from due (closed loop: sent) to answered, `seconds` until the last answer."""

    sent: int = 0
    answered: int = 0
    given_up: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    answer: Quantiles | None = None
    late_p99: float = 0.0
    cpu: float = 0.0
    seconds: float = 0.0


class Load:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._source = Source(seed=plan.seed, games=plan.games, players=plan.players)
        self._took: list[float] = []
        self._late: list[float] = []
        self._pool = Pool(HOST, plan.port, plan.connections)
        self._timetable = Timetable(events=plan.requests, rate=plan.rate)
        self._ended_at = 0.0
        self._counting = True
        self._cpu_before = 0.0

    async def run(self) -> Report:
        requests = self._prepare()
        await self._pool.connect()
        gc.collect()
        gc.freeze()
        report = Report()
        if self._plan.rate:
            report.sent = await self._open_loop(requests)
        else:
            report.sent = await self._closed_loop(requests)
        report.cpu = _cpu() - self._cpu_before
        report.given_up = report.sent - len(self._took) if self._plan.rate else 0
        self._pool.close()
        return self._fill(report)

    def _fill(self, report: Report) -> Report:
        report.answered = len(self._took)
        report.seconds = max(0.0, self._ended_at - self._timetable.starts_at)
        report.statuses = {str(status): n for status, n in self._pool.statuses.items()}
        if self._took:
            report.answer = Quantiles.of(self._took)
        if self._late:
            report.late_p99 = Quantiles.of(self._late).p99 / 1000
        return report

    def _prepare(self) -> list[bytes]:
        """All requests, whole; for an open loop with a start that lies behind the making."""
        plan = self._plan
        if plan.paths:
            return [_get(path) for path in plan.paths]
        count = plan.requests if plan.rate else POOL_OF_BODIES
        began = time.time()
        trial = Source(seed=plan.seed, games=plan.games, players=plan.players)
        for _ in range(TRIAL):
            trial.body(plan.batch, began)
        self._timetable.starts_at = time.time() + 0.5 + 1.5 * count * (time.time() - began) / TRIAL
        return [
            _post(self._source.body(plan.batch, self._timetable.due(number)))
            for number in range(count)
        ]

    async def _open_loop(self, requests: list[bytes]) -> int:
        """Each request when it is due, however many are not answered; how many were sent."""
        of_turn = cycle(requests)
        total = self._plan.requests
        answered = asyncio.Event()
        self._timetable.starts_at = max(self._timetable.starts_at, time.time() + 0.05)
        self._begin()
        await asyncio.sleep(max(0.0, self._timetable.starts_at - time.time()))
        for number in range(total):
            due = self._timetable.due(number)
            wait = due - time.time()
            if wait > 0:
                await asyncio.sleep(wait)
            self._late.append(time.time() - due)
            self._pool.send(next(of_turn), self._noted(due, answered.set))
        deadline = self._timetable.due(total) + self._plan.patience
        while len(self._took) < total and time.time() < deadline:
            answered.clear()
            try:
                await asyncio.wait_for(answered.wait(), max(0.01, deadline - time.time()))
            except TimeoutError:
                break
        self._pool.give_up()
        return total

    async def _closed_loop(self, requests: list[bytes]) -> int:
        """As fast as the answers come, after a short warming that is not counted."""
        of_turn = cycle(requests)
        sent = 0

        def again() -> None:
            nonlocal sent
            if self._counting:
                sent += 1
                self._pool.send(next(of_turn), self._noted(time.time(), again))

        for _ in range(self._plan.connections):
            again()
        await asyncio.sleep(WARMING_SECONDS)
        self._took.clear()
        self._pool.statuses.clear()
        self._timetable.starts_at, sent = time.time(), 0
        self._begin()
        await asyncio.sleep(self._plan.seconds)
        self._counting = False
        self._ended_at = time.time()
        return sent

    def _begin(self) -> None:
        """Say when the stretch begins that counts."""
        self._cpu_before = _cpu()
        print(json.dumps({"starts_at": self._timetable.starts_at}), flush=True)

    def _noted(self, since: float, then: Callable[[], None]) -> Callable[[int], None]:
        def answered(status: int) -> None:
            if self._counting:
                self._ended_at = time.time()
                self._took.append(self._ended_at - since)
            then()

        return answered


def _post(body: bytes) -> bytes:
    return (
        b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _cpu() -> float:
    used: Any = resource.getrusage(resource.RUSAGE_SELF)
    return float(used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    made = Load(plan_of(Plan))
    print(msgspec.json.encode(asyncio.run(made.run())).decode(), flush=True)
