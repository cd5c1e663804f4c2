"""A TCP proxy that misbehaves on demand, between a client and one server.

Modes: `pass`; `delay` (each piece waits); `reset` (connections are reset, new ones too);
`swallow` (what the server answers is dropped, the connection stays); and, whatever the mode,
`cut_after`: once a client's bytes hold a text, they are passed on and the connection is reset
before the answer comes through.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from gamemetrics.stack.ports import HOST

Mode = Literal["pass", "delay", "reset", "swallow"]
PIECE = 65_536
CUT_SECONDS = 2.0
# Linger of 0 s: close() sends RST.
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Connection:
    """One client's connection and ours to the server."""

    client: socket.socket
    server: socket.socket
    # The answer to what was said last is dropped, and tells that it came.
    cut: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    stranded: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        _reset(self.client)
        _reset(self.server)


@dataclass(kw_only=True)
class Proxy:
    """Listens on `port`, connects to `upstream`; both on this machine."""

    port: int
    upstream: int
    mode: Mode = "pass"
    delay: float = 0.0
    cuts: int = 0
    _match: bytes = b""
    _cuts_left: int = 0
    _open: set[_Connection] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listener: socket.socket | None = None

    def start(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        listener.listen(256)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        if self._listener is not None:
            _reset(self._listener)
            self._listener = None
        self.reset_all()

    def heal(self) -> None:
        """Pass everything on; connections that swallowed an answer are reset."""
        was, self.mode = self.mode, "pass"
        self._match, self._cuts_left, self.delay = b"", 0, 0.0
        if was == "swallow":
            self.reset_all()

    def cut_after(self, text: bytes, times: int) -> None:
        """Reset the next `times` connections whose client says `text`, after passing it on."""
        with self._lock:
            self._match, self._cuts_left, self.cuts = text, times, 0

    def to(self, upstream: int) -> None:
        """Connect to another server from now on; what is connected is reset."""
        self.upstream = upstream
        self.reset_all()

    def strand(self) -> int:
        """Let every open connection go silent, both ways and for good; how many. New ones pass."""
        with self._lock:
            for connection in self._open:
                connection.stranded.set()
            return len(self._open)

    def reset_all(self) -> None:
        with self._lock:
            connections = tuple(self._open)
        for connection in connections:
            self._close(connection)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self.mode == "reset":
                _reset(client)
                continue
            try:
                server = socket.create_connection((HOST, self.upstream), timeout=5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(client=client, server=server)
            with self._lock:
                self._open.add(connection)
            for work in (self._requests, self._answers):
                threading.Thread(target=work, args=(connection,), daemon=True).start()

    def _requests(self, connection: _Connection) -> None:
        before = b""
        while piece := _receive(connection.client):
            if connection.stranded.is_set():
                continue
            if self.mode == "reset":
                break
            if self.mode == "delay":
                time.sleep(self.delay)
            if self._is_cut(before + piece):
                connection.cut.set()
                _send(connection.server, piece)
                # The server has it: give it the time to act on it.
                connection.answered.wait(CUT_SECONDS)
                break
            before = piece[-(len(self._match) - 1) :] if len(self._match) > 1 else b""
            if not _send(connection.server, piece):
                break
        self._close(connection)

    def _is_cut(self, said: bytes) -> bool:
        with self._lock:
            if not self._match or self._cuts_left < 1 or self._match not in said:
                return False
            self._cuts_left -= 1
            self.cuts += 1
            return True

    def _answers(self, connection: _Connection) -> None:
        while piece := _receive(connection.server):
            if connection.cut.is_set():
                connection.answered.set()
                continue
            if self.mode == "reset":
                break
            if self.mode == "swallow" or connection.stranded.is_set():
                continue
            if self.mode == "delay":
                time.sleep(self.delay)
            if not _send(connection.client, piece):
                break
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.reset()


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(PIECE)
    except OSError:
        return b""


def _send(end: socket.socket, piece: bytes) -> bool:
    try:
        end.sendall(piece)
    except OSError:
        return False
    return True


def _reset(end: socket.socket) -> None:
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # Wakes a thread that waits in recv; close() alone would not.
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
