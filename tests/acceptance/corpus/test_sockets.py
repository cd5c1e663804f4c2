"""Rows 12 to 18 on a socket: bodies that do not come as HTTP promises."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.corpus.case import event
from tests.acceptance.corpus.effects import applied, in_game
from tests.acceptance.corpus.table import Table
from tests.acceptance.corpus.wire import answered, chunked, conversation, head
from tests.acceptance.games import Game

GAME = "s-000"
EVENT = in_game(event(), GAME)
LENGTH = f"Content-Length: {len(EVENT)}"
CHUNKED = "Transfer-Encoding: chunked"
MIB = 1024 * 1024
CASES = (
    (15, "chunked, no Content-Length", "411 length_required", head(CHUNKED) + chunked(EVENT)),
    (16, "chunked and Content-Length", "411 length_required",
     head(CHUNKED, LENGTH) + chunked(EVENT)),
    (16, "two Content-Lengths", "400", head(LENGTH, "Content-Length: 5") + EVENT),
    (16, "Transfer-Encoding: xchunked", "400", head("Transfer-Encoding: xchunked") + EVENT),
    (16, "a space before the colon", "400",
     head("Transfer-Encoding : chunked", LENGTH) + chunked(EVENT)),
    (16, "Content-Length: +5", "400", head(f"Content-Length: +{len(EVENT)}") + EVENT),
    (18, "a header of 64 KiB", "431", head("X-Long: " + "x" * 65_536, LENGTH) + EVENT),
    (18, "300 headers", "431", head(*[f"X-{number}: y" for number in range(300)], LENGTH) + EVENT),
)  # fmt: skip


@pytest.mark.parametrize(
    ("row", "what", "expect", "request_bytes"), CASES, ids=[case[1] for case in CASES]
)
def test_a_request_that_is_no_http_of_ours_has_no_effect(
    row: int, what: str, expect: str, request_bytes: bytes, watcher: Game, table: Table
) -> None:
    answer = conversation(watcher.stack.url, request_bytes)
    table.add(row, what, expect, answered(answer))


def test_a_body_that_ends_too_early_is_refused_though_it_is_whole_json(
    watcher: Game, table: Table
) -> None:
    request = head(f"Content-Length: {len(EVENT) + 1}") + EVENT
    answer = conversation(watcher.stack.url, request, close=True)
    # The server may take the client's end as the end of the connection.
    seen = "cut off or 400 truncated_body"
    if answer and answered(answer) != "400 truncated_body":
        seen = answered(answer)
    table.add(14, "the body ends before its Content-Length", "cut off or 400 truncated_body", seen)


def test_none_of_them_took_effect(watcher: Game) -> None:
    watcher.applied()
    assert not applied(watcher, GAME)


def test_a_bomb_is_cut_at_the_cap(watcher: Game, table: Table) -> None:
    bomb = b"".join(_bomb(256))
    assert len(bomb) < MIB
    before = _memory(watcher.stack.pid("web"))
    answer = watcher.post_bytes(bomb, Content_Encoding="gzip")
    seen = f"{answer.status_code} {answer.json()['code']}"
    grown = _memory(watcher.stack.pid("web")) - before
    table.add(12, "256 KiB of gzip for 256 MiB", "413 body_too_large", seen)
    assert grown < 64 * MIB


def _bomb(mebibytes: int) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    for _ in range(mebibytes):
        yield packer.compress(b" " * MIB)
    yield packer.flush()


def _memory(pid: int) -> int:
    """Bytes that the process and its children have held at most."""
    children = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    pids = [str(pid), *(child for text in children for child in text.split())]
    statuses = (Path(f"/proc/{number}/status").read_text() for number in pids)
    return sum(
        int(line.split()[1]) * 1024
        for status in statuses
        for line in status.splitlines()
        if line.startswith("VmHWM:")
    )
