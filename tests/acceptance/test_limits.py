"""Sizes and rates at their edges, and bodies that do not come as HTTP promises."""

import json
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest

from gamemetrics.stack.layout import PROJECT_ROOT
from gamemetrics.stack.ports import HOST
from gamemetrics.stack.programs import Launch
from tests.acceptance.games import Game
from tests.acceptance.streams import Event, expected
from tests.acceptance.waiting import until
from tests.services import Stack
from tests.stack_homes import reserve_ports

MAX_EVENT_BYTES = 64 * 1024
PIECES = 8  # no single string of the event is over its own limit
PER_SECOND = 5


def event_of(game: Game, size: int) -> tuple[Event, bytes]:
    """An event whose JSON has exactly this many bytes."""
    event = game.event(data={"score": 10, **{f"piece{number}": "" for number in range(PIECES)}})
    missing = size - len(json.dumps(event))
    for number in range(PIECES):
        share = missing // PIECES + (number < missing % PIECES)
        event["data"][f"piece{number}"] = "x" * share
    text = json.dumps(event).encode()
    assert len(text) == size
    return event, text


def test_an_event_of_64_kib_takes_effect_everywhere_and_one_byte_more_is_refused(
    game: Game,
) -> None:
    _, larger = event_of(game, MAX_EVENT_BYTES + 1)
    refused = game.post_bytes(larger)
    assert (refused.status_code, refused.json()["code"]) == (400, "event_too_large")
    event, largest = event_of(game, MAX_EVENT_BYTES)
    accepted = game.post_bytes(largest)
    assert accepted.status_code == 202
    # What the server adds to the largest event does not make it too large behind the API.
    assert game.applied() == expected([{**event, "event_id": accepted.json()["event_id"]}])
    ((data,),) = game.sql("SELECT data FROM events WHERE game_id = %s", game.game_id)
    assert data == event["data"]


def conversation(stack: Stack, request: bytes, *, close: bool = False) -> bytes:
    """What the server answers to these bytes; `close`: nothing more is to come."""
    with closing(socket.create_connection((HOST, urlsplit(stack.url).port or 80), 30)) as line:
        line.sendall(request)
        if close:
            line.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := line.recv(65_536):
            answer += piece
        return answer


def head(*lines: str) -> bytes:
    opening = "POST /api/v1/events HTTP/1.1", "Host: localhost", "Connection: close"
    return "\r\n".join([*opening, "Content-Type: application/json", *lines, "", ""]).encode()


def test_a_body_without_a_length_is_refused_instead_of_lost(game: Game) -> None:
    text = json.dumps(game.event()).encode()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
    answer = conversation(game.stack, head("Transfer-Encoding: chunked") + body)
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert b'"code":"length_required"' in answer
    assert game.applied() == expected([])


def test_a_truncated_body_has_no_effect(game: Game) -> None:
    text = json.dumps([game.event(), game.event("bo")]).encode()
    request = head(f"Content-Length: {len(text)}") + text[:-20]
    answer = conversation(game.stack, request, close=True)
    assert not answer.startswith(b"HTTP/1.1 2")
    good = game.event("cyd", event_id=str(uuid.uuid4()))
    assert game.post(good).status_code == 202
    assert game.applied() == expected([good])


@pytest.fixture
def slow_web(stack: Stack, game: Game) -> Iterator[httpx.Client]:
    """A second web process of the stack that takes few requests a second."""
    (port,) = reserve_ports(1)
    launch = Launch.load(stack.layout.launch_file("web"))
    own = str(urlsplit(stack.url).port)
    argv = [str(port) if word == own else word for word in launch.argv]
    environ = {**launch.environ, "RATE_LIMIT_RPS": str(PER_SECOND)}
    log = stack.layout.logs / "slow-web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, env=environ, cwd=PROJECT_ROOT, stdout=output, stderr=output
        )
    try:
        with httpx.Client(base_url=f"http://{HOST}:{port}", trust_env=False) as client:
            until(lambda: answers(client), "the second web process answers", seconds=60)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


def test_above_the_rate_a_request_is_refused_and_told_when_to_come_back(
    game: Game, slow_web: httpx.Client
) -> None:
    statuses: list[httpx.Response] = []
    while not statuses or statuses[-1].status_code == 202:
        assert len(statuses) < 1_000, "nothing was refused"
        statuses.append(slow_web.post("/api/v1/events", json=game.event()))
    refused, accepted = statuses[-1], len(statuses) - 1
    assert accepted >= PER_SECOND
    assert refused.status_code == 429
    assert refused.json()["code"] == "rate_limited"
    assert int(refused.headers["retry-after"]) >= 1
    until(
        lambda: slow_web.post("/api/v1/events", json=game.event()).status_code == 202,
        "requests are taken again",
        seconds=30,
    )
    assert sum(game.applied().log.values()) == accepted + 1
