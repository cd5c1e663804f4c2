"""Sending batches: each until the server has taken it, under the same event ids."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import httpx

from apps.demo.connections import BUSY, PATIENCE, RETRY_SECONDS, client, retry_after
from apps.demo.failure import Failed

_HEADERS: Final = {"Content-Type": "application/x-ndjson"}


class EventsRefused(Failed):
    """The server did not take a batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Events as NDJSON. `due` is when the first try is meant to be, by the monotonic clock."""

    body: bytes
    events: int
    due: float | None = None


@dataclass(kw_only=True, slots=True)
class Tally:
    """What the server has confirmed, over all connections."""

    accepted: int = 0
    retries: int = 0
    seconds: list[float] = field(default_factory=list)  # of each batch, due (or sent) to 202
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, events: int, seconds: float) -> None:
        with self._lock:
            self.accepted += events
            self.seconds.append(seconds)

    def retry(self) -> None:
        with self._lock:
            self.retries += 1

    def accepted_so_far(self) -> int:
        return self.accepted


class Connection:
    """Sends batches in order over one connection."""

    def __init__(self, http: httpx.Client, tally: Tally, stop: threading.Event) -> None:
        self._http = http
        self._tally = tally
        self._stop = stop

    def send(self, batch: Batch) -> None:
        """Returns when the batch is confirmed. Raises EventsRefused.

        429 and 503 are waited out and a broken connection is tried again; the ids are in the
        batch, so what did take effect in a failed try does not take effect twice.
        """
        began = time.monotonic()
        while not self._stop.is_set():
            wait, problem = self._try(batch)
            if wait is None:
                now = time.monotonic()
                self._tally.accept(batch.events, now - (batch.due or began))
                return
            if time.monotonic() - began > PATIENCE:
                raise EventsRefused(f"a batch was not taken within {PATIENCE:.0f} s: {problem}")
            self._tally.retry()
            self._stop.wait(wait)

    def _try(self, batch: Batch) -> tuple[float | None, str]:
        """None where the server took the batch, else how long to wait, and why."""
        try:
            response = self._http.post("/api/v1/events", content=batch.body, headers=_HEADERS)
        except httpx.TransportError as error:
            return RETRY_SECONDS, f"{type(error).__name__}: {error}"
        told = f"{response.status_code} {response.text[:300]}"
        if response.status_code == 202:
            return None, ""
        if response.status_code in BUSY:
            return retry_after(response), told
        raise EventsRefused(f"the server refuses a batch: {told}")


def send_all(
    url: str,
    lanes: Sequence[Iterable[Batch]],
    tally: Tally,
    *,
    before_each: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Send every lane's batches in order, each lane over a connection of its own.

    `before_each` may wait (pacing). The first failure sets `stop`, ends all lanes and is raised.
    """

    def run(lane: Iterable[Batch]) -> None:
        try:
            with client(url) as http:
                connection = Connection(http, tally, stop)
                for batch in lane:
                    if stop.is_set():
                        return
                    before_each()
                    connection.send(batch)
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(max_workers=len(lanes), thread_name_prefix="lane") as pool:
        futures = [pool.submit(run, lane) for lane in lanes]
        try:
            for future in futures:
                future.result()
        except BaseException:
            stop.set()
            raise
