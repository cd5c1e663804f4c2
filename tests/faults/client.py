"""The client of one seed: sends, repeats under the same ids, and records what it was told."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random
from typing import Any, Final

from gamemetrics.stack.ports import HOST
from gamemetrics.stack.processes import wait_until
from tests.faults.pace import BATCH, Pace
from tests.faults.stream import Kind, Stream

THREADS: Final = 6
# Longer than the API waits for Kafka.
ANSWER_SECONDS: Final = 20.0
BACKOFF: Final = (0.1, 0.2, 0.4, 0.8)
# Of the batches, never sent again after an unknown result: what became of them is to stay open.
NEVER_REPEATED: Final = 0.2


class Told(IntEnum):
    """What the client knows of an event; a greater one is known better."""

    NOTHING = 0  # never sent
    UNKNOWN = 1  # sent, never confirmed: it may take effect once
    FAILED = 2  # rejected: it must have no effect
    OK = 3


@dataclass(kw_only=True)
class Client:
    """Sends the stream to the web processes from several threads."""

    stream: Stream
    ports: Sequence[int]
    pace: Pace
    chance: Random
    told: bytearray = field(init=False)
    statuses: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    repeats: int = 0
    _busy: int = 0
    slowest: float = 0.0
    confirmed_at: float = 0.0
    _cursor: int = 0
    _given_up: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.told = bytearray(len(self.stream.events))

    def start(self) -> None:
        for number in range(THREADS):
            thread = threading.Thread(target=_Sender(client=self, number=number).run, daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def sent(self) -> float:
        """The share of the stream that was taken up."""
        return self._cursor / len(self.stream.order)

    def finish(self, seconds: float) -> None:
        """Wait until all is sent and confirmed; after `seconds` unconfirmed events are left."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._given_up.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS + 10)

    def take(self) -> list[int] | None:
        """The next indices to send; None at the end. Waits for the pace."""
        while not self._given_up.is_set():
            with self._lock:
                if self._cursor == len(self.stream.order):
                    return None
                room = self.pace.room(self._cursor, time.monotonic())
                if room > 0:
                    taken = self.stream.order[self._cursor : self._cursor + min(room, BATCH)]
                    self._cursor += len(taken)
                    self._busy += 1
                    return taken
            self._given_up.wait(0.02)
        return None

    @property
    def lost_answers(self) -> int:
        """How many requests ended without any answer."""
        return sum(n for status, n in self.statuses.items() if not status.isdigit())

    @property
    def gives_up(self) -> bool:
        return self._given_up.is_set()

    def no_longer_busy(self) -> None:
        with self._lock:
            self._busy -= 1

    def wait(self, seconds: float) -> None:
        self._given_up.wait(seconds)

    def repeats_batch(self) -> bool:
        with self._lock:
            return self.chance.random() >= NEVER_REPEATED

    def upcoming(self, number: int) -> list[int]:
        """Indices of the next events to be sent, none of which is under way."""
        ahead = self._cursor + THREADS * BATCH
        return self.stream.order[ahead : ahead + number]

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Nothing is sent until the end of the block, and nothing is under way in it."""
        self.pace.held = True
        try:
            wait_until(lambda: not self._busy, seconds=4 * ANSWER_SECONDS)
            yield
        finally:
            self.pace.held = False

    def note_sent(self, index: int) -> None:
        """Somebody sent the event; what became of it is not known yet."""
        self.note(index, Told.UNKNOWN)

    def note(self, index: int, told: Told) -> None:
        self.told[index] = max(self.told[index], told)

    def note_answer(self, status: str, took: float, repeated: bool) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.slowest = max(self.slowest, took)
            self.repeats += repeated
            if status in {"202", "207"}:
                self.confirmed_at = time.monotonic()

    def surprise(self, what: str) -> None:
        with self._lock:
            if len(self.surprises) < 20:
                self.surprises.append(what)

    def count(self, told: Told) -> int:
        return self.told.count(told)


@dataclass(kw_only=True)
class _Sender:
    """One thread with one kept-alive connection a web process."""

    client: Client
    number: int
    _connections: dict[int, http.client.HTTPConnection] = field(default_factory=dict)

    def run(self) -> None:
        turn = self.number
        while (batch := self.client.take()) is not None:
            repeat = self.client.repeats_batch()
            left, tries = batch, 0
            while left:
                turn += 1
                port = self.client.ports[turn % len(self.client.ports)]
                left = self._send(port, left, repeated=tries > 0)
                if not left or not repeat or self.client.gives_up:
                    break
                self.client.wait(BACKOFF[min(tries, len(BACKOFF) - 1)])
                tries += 1
            self.client.no_longer_busy()
        for connection in self._connections.values():
            connection.close()

    def _send(self, port: int, indices: list[int], *, repeated: bool) -> list[int]:
        """Send these events; those that were not confirmed."""
        events = self.client.stream.events
        body = b"[" + b",".join(events[index].body for index in indices) + b"]"
        for index in indices:
            self.client.note(index, Told.UNKNOWN)
        began = time.monotonic()
        try:
            status, headers, answer = self._post(port, body)
        except (OSError, http.client.HTTPException) as error:
            self._connections.pop(port).close()
            name = type(error).__name__
            self.client.note_answer(name, time.monotonic() - began, repeated)
            return indices
        self.client.note_answer(str(status), time.monotonic() - began, repeated)
        if status not in {202, 207, 400, 503}:
            self.client.surprise(f"answer {status}: {answer[:200]!r}")
            return indices
        if status == 503 and "Retry-After" not in headers:
            self.client.surprise("503 without Retry-After")
        return self._read(status, indices, answer)

    def _post(self, port: int, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self._connections.get(port)
        if connection is None:
            connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
            self._connections[port] = connection
        connection.request("POST", "/api/v1/events", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def _read(self, status: int, indices: list[int], answer: bytes) -> list[int]:
        results: list[dict[str, Any]] = json.loads(answer).get("results", [])
        if len(results) != len(indices):
            self.client.surprise(f"{status} with {len(results)} receipts for {len(indices)} events")
            return indices
        events, left = self.client.stream.events, []
        for index, result in zip(indices, results, strict=True):
            event, said = events[index], result["status"]
            if said == "unconfirmed":
                left.append(index)
            elif (said == "rejected") != (event.kind is Kind.REFUSED):
                self.client.surprise(f"{said}: {event.body[:200]!r} {result}")
            elif said == "rejected":
                self.client.note(index, Told.FAILED)
            elif result["event_id"] != event.event_id:
                self.client.surprise(f"a receipt for another event: {result}")
            else:
                self.client.note(index, Told.OK)
        return left
