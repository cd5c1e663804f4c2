"""A client of a stream of server-sent events, as the standard has it read."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tests.acceptance.games import Game

PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One event and when it came (time.perf_counter)."""

    at: float
    event: str
    event_id: str
    data: Any


@dataclass(kw_only=True)
class Listening:
    """An open stream, read by a thread of its own. `ended` is set when the server closes it."""

    connection: http.client.HTTPConnection
    answer: http.client.HTTPResponse
    told: queue.Queue[Told] = field(default_factory=queue.Queue)
    comments: list[str] = field(default_factory=list)
    retry: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        fields: dict[str, str] = {}
        try:
            while line := self.answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if line == b"\n":
                    self._dispatch(fields)
                    fields = {}
                elif line.startswith(b":"):
                    self.comments.append(line.decode())
                elif name == "retry":
                    self.retry = value
                else:
                    fields[name] = value
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass  # closed, by the server or by `close`
        self.ended.set()

    def _dispatch(self, fields: dict[str, str]) -> None:
        if "data" in fields:
            self.told.put(
                Told(
                    at=time.perf_counter(),
                    event=fields["event"],
                    event_id=fields["id"],
                    data=json.loads(fields["data"]),
                )
            )

    def next(self, event: str, *, seconds: float = PATIENCE) -> Told:
        """The next event of that kind; others are passed over. Raises queue.Empty."""
        deadline = time.monotonic() + seconds
        while True:
            told = self.told.get(timeout=max(0.001, deadline - time.monotonic()))
            if told.event == event:
                return told


def connect(
    game: Game, asked: dict[str, Any], **headers: str
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """Ask for the game's stream; the answer's body is not read yet."""
    address = urlsplit(game.stack.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    path = f"/api/v1/games/{quote(game.game_id, safe='')}/live?{urlencode(asked)}"
    connection.request("GET", path, headers=headers)
    return connection, connection.getresponse()


@contextmanager
def listening(game: Game, last_event_id: str = "", **asked: Any) -> Iterator[Listening]:
    """A stream of the game, opened and read until the end of the block."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    connection, answer = connect(game, asked, **headers)
    assert answer.status == 200, answer.read()
    open_stream = Listening(connection=connection, answer=answer)
    reader = threading.Thread(target=open_stream.read, daemon=True)
    reader.start()
    try:
        yield open_stream
    finally:
        if connection.sock is not None:
            # A close alone would not reach the thread that reads, nor the server.
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            connection.sock.close()
        answer.close()
