"""The proxy of the fault rig: it passes, and it fails as it is told to."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from gamemetrics.stack.ports import HOST
from gamemetrics.stack.processes import wait_until
from tests.faults.proxy import Proxy
from tests.stack_homes import reserve_ports


class _Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            said.append(line)
            self.wfile.write(b"heard " + line)


said: list[bytes] = []


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that says what it heard."""
    said.clear()
    server = socketserver.ThreadingTCPServer((HOST, 0), _Echo)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (port,) = reserve_ports(1)
    proxy = Proxy(port=port, upstream=server.server_address[1])
    proxy.start()
    yield proxy
    proxy.stop()
    server.shutdown()
    server.server_close()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=5)


def ask(connection: socket.socket, text: bytes) -> bytes:
    """What comes back; empty where the connection ended, or nothing came in time."""
    try:
        connection.sendall(text)
        return connection.recv(100)
    except OSError:
        return b""


def ask_anew(proxy: Proxy, text: bytes) -> bytes:
    """The same, over a new connection."""
    try:
        with closing(connect(proxy)) as connection:
            return ask(connection, text)
    except OSError:
        return b""


def test_what_is_said_and_answered_passes(proxy: Proxy) -> None:
    with closing(connect(proxy)) as ada, closing(connect(proxy)) as bo:
        assert ask(ada, b"ada\n") == b"heard ada\n"
        assert ask(bo, b"bo\n") == b"heard bo\n"
        assert ask(ada, b"again\n") == b"heard again\n"


def test_a_reset_ends_open_connections_and_refuses_new_ones(proxy: Proxy) -> None:
    with closing(connect(proxy)) as ada:
        assert ask(ada, b"ada\n")
        proxy.mode = "reset"
        proxy.reset_all()
        assert ask(ada, b"more\n") == b""
    assert ask_anew(proxy, b"bo\n") == b""
    assert said == [b"ada\n"]
    proxy.heal()
    assert ask_anew(proxy, b"cyd\n") == b"heard cyd\n"


def test_a_swallowed_answer_leaves_the_connection_open_and_the_server_informed(
    proxy: Proxy,
) -> None:
    with closing(connect(proxy)) as ada:
        assert ask(ada, b"ada\n")
        proxy.mode = "swallow"
        ada.settimeout(0.3)
        assert ask(ada, b"lost\n") == b""
        assert wait_until(lambda: said == [b"ada\n", b"lost\n"], seconds=5)
        ada.settimeout(5)
        proxy.heal()
        assert ask(ada, b"more\n") == b"", "a half-open connection is not mended"


def test_a_cut_comes_after_the_server_has_heard_and_before_the_client_knows(proxy: Proxy) -> None:
    proxy.cut_after(b"COMMIT", times=1)
    with closing(connect(proxy)) as ada:
        assert ask(ada, b"BEGIN\n") == b"heard BEGIN\n"
        ada.sendall(b"COM")
        assert ask(ada, b"MIT\n") == b""
    assert said == [b"BEGIN\n", b"COMMIT\n"]
    assert proxy.cuts == 1
    assert ask_anew(proxy, b"COMMIT\n") == b"heard COMMIT\n", "it was to be cut once"


def test_another_upstream_is_reached_by_who_connects_again(proxy: Proxy) -> None:
    nowhere, there = reserve_ports(1)[0], proxy.upstream
    with closing(connect(proxy)) as ada:
        assert ask(ada, b"ada\n")
        proxy.to(nowhere)
        assert ask(ada, b"more\n") == b""
    assert ask_anew(proxy, b"again\n") == b""
    proxy.to(there)
    assert ask_anew(proxy, b"back\n") == b"heard back\n"
