"""A cheap HTTP/1.1 client: kept-alive connections, one request at a time on each, asyncio alone."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# Called with the status of the answer, 0 where the connection broke before it.
Answered = Callable[[int], None]


class Connection(asyncio.Protocol):
    """Sends the next request of the pool when the answer to the last one is whole."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._answered: Answered | None = None
        self._received = b""
        self._whole = 0  # bytes of the answer, 0 while its head is not complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._pool.idle(self)

    def send(self, request: bytes, answered: Answered) -> None:
        assert self._transport is not None
        self._received, self._whole, self._answered = b"", 0, answered
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._whole:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            length = _LENGTH.search(self._received, 0, head)
            self._whole = head + 4 + (int(length[1]) if length else 0)
        if len(self._received) >= self._whole:
            self._finish(int(self._received[9:12]))
            self._pool.idle(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish(0)
        self._pool.lost()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, status: int) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(status)


class Pool:
    """A fixed number of connections, and the requests that wait for one of them."""

    def __init__(self, host: str, port: int, size: int) -> None:
        self._host, self._port, self._size = host, port, size
        self._connections: list[Connection] = []
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, Answered]] = deque()
        self._open = True
        self.statuses: Counter[int] = Counter()

    async def connect(self) -> None:
        """Raises OSError where the server does not take them."""
        for _ in range(self._size):
            await self._one_more()

    async def _one_more(self) -> None:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: Connection(self), self._host, self._port)
        self._connections.append(made)

    def send(self, request: bytes, answered: Answered) -> None:
        """Send it as soon as a connection is idle; those that wait go in order."""

        def counted(status: int) -> None:
            self.statuses[status] += 1
            answered(status)

        if self._idle:
            self._idle.popleft().send(request, counted)
        else:
            self._waiting.append((request, counted))

    def idle(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self) -> None:
        """The server closed one; another takes its place, or the run ends with this error."""
        if self._open:
            self._reconnecting = asyncio.get_running_loop().create_task(self._one_more())

    def give_up(self) -> int:
        """Forget the requests that wait; how many they were."""
        left = len(self._waiting)
        self._waiting.clear()
        return left

    def close(self) -> None:
        self._open = False
        for connection in self._connections:
            connection.close()
