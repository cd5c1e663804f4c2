"""The client of the fault rig: what it records of each answer, and how it paces itself."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from gamemetrics.stack.ports import HOST
from tests.faults.client import Client, Told
from tests.faults.pace import BATCH, RATE, Pace
from tests.faults.stream import Kind, Stream, stream

Answer = Callable[[list[dict[str, Any]]], tuple[int, Any] | None]
answers: list[Answer] = []
posted: list[list[dict[str, Any]]] = []


class _Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        posted.append(events)
        told = (answers.pop(0) if answers else accept)(events)
        if told is None:
            self.close_connection = True
            return
        status, body = told
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if status == 503:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def accept(events: list[dict[str, Any]]) -> tuple[int, Any]:
    """Every valid event accepted, the others rejected."""
    return 207, {"results": [_receipt(event) for event in events]}


def _receipt(event: dict[str, Any]) -> dict[str, Any]:
    bad = (
        not event["player_id"].strip()
        or event["timestamp"] == "yesterday"
        or event["data"] == []
        or not event["event_type"]
    )
    return {"status": "rejected"} if bad else {"status": "accepted", "event_id": event["event_id"]}


def unconfirmed(events: list[dict[str, Any]]) -> tuple[int, Any]:
    return 503, {"results": [{"status": "unconfirmed"} for _ in events]}


def hang_up(events: list[dict[str, Any]]) -> None:
    return None


@pytest.fixture
def port() -> Iterator[int]:
    answers.clear()
    posted.clear()
    server = http.server.ThreadingHTTPServer((HOST, 0), _Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def client_of(port: int, made: Stream, *, repeats: bool = True) -> Client:
    pace = Pace(total=len(made.order), seconds=1, began=-1e6, fault_over=True)
    client = Client(stream=made, ports=[port], pace=pace, chance=Random(0))
    client.repeats_batch = lambda: repeats  # type: ignore[method-assign]
    return client


def sent(client: Client) -> Client:
    client.start()
    client.finish(30)
    return client


def test_accepted_is_ok_and_rejected_is_failed(port: int) -> None:
    made = stream("chess", 600, Random(7))
    client = sent(client_of(port, made))
    assert client.surprises == []
    assert [Told(told) for told in client.told] == [
        Told.FAILED if event.kind is Kind.REFUSED else Told.OK for event in made.events
    ]
    assert client.count(Told.FAILED) > 0


def test_duplicates_are_sent_under_the_same_id(port: int) -> None:
    made = stream("chess", 600, Random(7))
    sent(client_of(port, made))
    ids = [event["event_id"] for batch in posted for event in batch]
    assert len(ids) == len(made.order) == 630
    assert len(set(ids)) == 600


@pytest.mark.parametrize("answer", [unconfirmed, hang_up])
def test_what_was_not_confirmed_is_unknown_until_it_is_sent_again(
    port: int, answer: Answer
) -> None:
    made = stream("chess", 100, Random(7))
    answers.append(answer)
    client = sent(client_of(port, made))
    assert client.repeats == 1
    assert client.count(Told.UNKNOWN) == 0
    answers.append(answer)
    client = sent(client_of(port, made, repeats=False))
    assert client.count(Told.UNKNOWN) == 100


def test_an_accepted_event_is_never_unknown_again(port: int) -> None:
    made = stream("chess", 1, Random(7))
    client = client_of(port, made)
    client.note(0, Told.OK)
    client.note(0, Told.UNKNOWN)
    assert client.told[0] == Told.OK


def test_a_receipt_that_should_not_be_is_a_surprise(port: int) -> None:
    made = stream("chess", 5, Random(7))
    answers.append(lambda events: (207, {"results": [{"status": "rejected"} for _ in events]}))
    client = sent(client_of(port, made))
    assert len(client.surprises) == 5
    answers.append(lambda events: (500, {}))
    assert "answer 500" in sent(client_of(port, made)).surprises[0]


def test_a_fault_meets_events_until_it_is_over() -> None:
    pace = Pace(total=10_000, seconds=10, began=0.0)
    assert pace.room(0, 100 / RATE) == 0, "whole batches"
    assert pace.room(0, 100.0) == 2_000, "a fifth before the fault"
    pace.fault_began = 100.0
    allowed = [pace.room(0, 100.0 + seconds) for seconds in (0, 1, 5, 10, 20)]
    assert allowed == sorted(allowed)
    assert allowed[-1] < 9_500
    pace.fault_over = True
    assert pace.room(9_900, 100.0) >= BATCH or pace.room(9_900, 100.0) == 100.0 * RATE - 9_900
