"""A redis-server with users of its own, and TLS in front of one that cannot speak it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gamemetrics.stack.ports import HOST
from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.redis_server import binary
from tests.stack_homes import discard, new_home, reserve_ports

PATIENCE = 30.0  # seconds


@contextmanager
def run_redis(*lines: str, password: str = "") -> Iterator[int]:
    """A server with these lines of redis.conf, and the default user's password; its port."""
    home = new_home()
    directory = home / "redis"
    directory.mkdir()
    (port,) = reserve_ports(1)
    config = directory / "redis.conf"
    login = [f"requirepass {password}"] if password else []
    config.write_text(
        "\n".join([f"bind {HOST}", f"port {port}", 'save ""', f'dir "{directory}"', *login, *lines])
    )
    process = subprocess.Popen(
        [str(binary()), str(config)], cwd=directory, stdout=subprocess.DEVNULL
    )
    try:
        assert wait_until(lambda: _listens(port), seconds=PATIENCE), "Redis does not answer"
        yield port
    finally:
        process.terminate()
        process.wait()
        discard(home)


@contextmanager
def nobody_there() -> Iterator[redis.Redis]:
    """A client of a Redis that is away."""
    with redis.Redis(host=HOST, port=1, retry=Retry(NoBackoff(), 0)) as client:
        yield client


def _listens(port: int) -> bool:
    with redis.Redis(host=HOST, port=port, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return True  # it asks who we are
        except redis.ConnectionError:
            return False


@contextmanager
def with_tls(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """A port that ends TLS and hands on to `port`."""
    with socket.create_server((HOST, 0)) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, port, context), daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        accepting.join(PATIENCE)


def _accept(listener: socket.socket, port: int, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return  # closed
        threading.Thread(target=_serve, args=(plain, port, context), daemon=True).start()


def _serve(plain: socket.socket, port: int, context: ssl.SSLContext) -> None:
    with (
        suppress(OSError),
        plain,
        context.wrap_socket(plain, server_side=True) as client,
        socket.create_connection((HOST, port)) as server,
    ):
        back = threading.Thread(target=_carry, args=(server, client), daemon=True)
        back.start()
        _carry(client, server)
        back.join(PATIENCE)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def acl(name: str, password: str, rules: Sequence[str]) -> str:
    """A user, as a line of redis.conf."""
    return " ".join(["user", name, "on", f">{password}", *rules])
