"""HTTP by hand, for what no client library would send."""

from __future__ import annotations

import re
import socket
from contextlib import closing, suppress
from urllib.parse import urlsplit

from gamemetrics.stack.ports import HOST


def conversation(url: str, request: bytes, *, close: bool = False) -> bytes:
    """What the server answers to these bytes; `close`: nothing more is to come."""
    answer = b""
    with (
        closing(socket.create_connection((HOST, urlsplit(url).port or 80), 30)) as line,
        # Who refuses a request need not read it to its end.
        suppress(ConnectionError),
    ):
        line.sendall(request)
        if close:
            line.shutdown(socket.SHUT_WR)
        while piece := line.recv(65_536):
            answer += piece
    return answer


def head(*lines: str) -> bytes:
    """A POST of events up to its body."""
    opening = "POST /api/v1/events HTTP/1.1", "Host: localhost", "Connection: close"
    return "\r\n".join([*opening, "Content-Type: application/json", *lines, "", ""]).encode()


def chunked(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)


def answered(answer: bytes) -> str:
    """Status and, where our code answered, the code."""
    status = answer.split(b" ", 2)[1].decode()
    code = re.search(rb'"code":"(\w+)"', answer)
    return f"{status} {code[1].decode()}" if code else status
