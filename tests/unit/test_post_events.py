"""POST /api/v1/events: receipts for what is taken, and a code for each kind of bad request."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from apps.ingest import views
from apps.ingest.body import MAX_BODY_BYTES
from apps.ingest.publisher_fake import MemoryPublisher
from apps.ingest.rate_limit import TokenBucket
from tests.builders import CAST, event_fields, event_id, event_text

JSON = "application/json"
NDJSON = "application/x-ndjson"


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> MemoryPublisher:
    fake = MemoryPublisher()
    monkeypatch.setattr(views, "publisher", lambda: fake)
    return fake


def post(text: bytes, kind: str = JSON, **headers: str) -> Any:
    # The test client sends no type with an empty body unless it is told twice.
    return Client().generic(
        "POST", "/api/v1/events", text, content_type=kind, headers=headers, CONTENT_TYPE=kind
    )


def said(response: HttpResponse) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(response.content)
    return body


def refused(response: HttpResponse, status: int, code: str) -> None:
    assert (response.status_code, said(response)["code"]) == (status, code)
    assert said(response)["status"] == "error"
    assert b"Traceback" not in response.content


def batch(*events: dict[str, Any]) -> bytes:
    return json.dumps({"events": events}).encode()


def test_one_event_is_taken_and_its_id_is_the_receipt(publisher: MemoryPublisher) -> None:
    response = post(event_text())
    (event,) = publisher.published
    assert response.status_code == 202
    assert said(response) == {"status": "success", "event_id": event.event_id}
    assert event.event_id[14] == "7"


def test_the_request_of_the_readme_is_taken(publisher: MemoryPublisher) -> None:
    response = post(
        b'{"event_type":"test","player_id":"test","game_id":"test",'
        b'"timestamp":"2024-01-15T10:00:00Z","data":{}}'
    )
    assert response.status_code == 202


def test_a_bad_event_is_told_what_is_wrong_and_where(publisher: MemoryPublisher) -> None:
    response = post(event_text(timestamp="yesterday"))
    refused(response, 400, "rfc3339")
    assert said(response)["pointer"] == "/timestamp"
    assert not publisher.published


@pytest.mark.parametrize("form", ["object", "array", "lines", "gzip"])
def test_a_batch_of_any_form_is_taken(form: str, publisher: MemoryPublisher) -> None:
    events = [event_fields(player_id=player, event_id=event_id(n)) for n, player in enumerate(CAST)]
    response = {
        "object": lambda: post(batch(*events)),
        "array": lambda: post(json.dumps(events).encode()),
        "lines": lambda: post("\n".join(map(json.dumps, events)).encode() + b"\n\n", NDJSON),
        "gzip": lambda: post(gzip.compress(batch(*events)), **{"Content-Encoding": "gzip"}),
    }[form]()
    assert response.status_code == 202
    assert [event.player_id for event in publisher.published] == list(CAST)
    assert said(response) == {
        "status": "success",
        "accepted": 3,
        "rejected": 0,
        "results": [{"index": n, "status": "accepted", "event_id": event_id(n)} for n in range(3)],
    }


def test_a_mixed_batch_loses_its_bad_events_alone(publisher: MemoryPublisher) -> None:
    response = post(batch(event_fields(), event_fields(player_id=None), event_fields()))
    assert response.status_code == 207
    body = said(response)
    assert (body["status"], body["accepted"], body["rejected"]) == ("partial", 2, 1)
    assert body["results"][1] == {
        **{"index": 1, "status": "rejected", "code": "required", "pointer": "/player_id"},
        "message": "player_id is required",
    }
    assert len(publisher.published) == 2


def test_a_batch_without_a_good_event_is_refused(publisher: MemoryPublisher) -> None:
    response = post(batch(event_fields(player_id=None), event_fields(data=5)))
    assert response.status_code == 400
    assert (said(response)["status"], said(response)["accepted"]) == ("error", 0)


@pytest.mark.parametrize(
    ("text", "kind", "status", "code"),
    [
        (b"", JSON, 400, "empty_body"),
        (b"  \n", JSON, 400, "empty_body"),
        (b'{"a":', JSON, 400, "invalid_json"),
        (b"{}{}", JSON, 400, "invalid_json"),
        (b"\xef\xbb\xbf{}", JSON, 400, "invalid_json"),
        ('{"a":1}'.encode("utf-16"), JSON, 400, "invalid_json"),
        (event_text(player_id="\u00e9").replace(b"\\u00e9", b"\xff"), JSON, 400, "invalid_utf8"),
        (event_text(player_id="q").replace(b"q", b"\xc0\xaf"), JSON, 400, "invalid_utf8"),
        (event_text(player_id="q").replace(b"q", b"\xed\xa0\x80"), JSON, 400, "invalid_utf8"),
        (event_text(player_id="q").replace(b"q", b"\\ud800"), JSON, 400, "invalid_unicode"),
        (event_text(player_id="q").replace(b"q", b"a\nb"), JSON, 400, "invalid_json"),
        (event_text().replace(b"10", b"NaN"), JSON, 400, "invalid_json"),
        (event_text().replace(b"10", b"Infinity"), JSON, 400, "invalid_json"),
        (event_text().replace(b"10", b"01"), JSON, 400, "invalid_json"),
        (event_text().replace(b'"', b"'"), JSON, 400, "invalid_json"),
        (event_text().replace(b"10}}", b"10,}}"), JSON, 400, "invalid_json"),
        (event_text().replace(b"10", b"10 // ten"), JSON, 400, "invalid_json"),
        (event_text() + b"\n" + event_text(), JSON, 400, "invalid_json"),
        (b"[" * 100_000, JSON, 400, "too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, JSON, 400, "too_deep"),
        (b"null", JSON, 400, "not_object"),
        (b"42", JSON, 400, "not_object"),
        (b'"x"', JSON, 400, "not_object"),
        (b"[]", JSON, 400, "empty_batch"),
        (b'{"events": []}', JSON, 400, "empty_batch"),
        (b'{"events": {}}', JSON, 400, "type"),
        (b'{"events": "x"}', JSON, 400, "type"),
        (json.dumps([{}] * 1001).encode(), JSON, 413, "batch_too_large"),
        (b"{}\n" * 1001, NDJSON, 413, "batch_too_large"),
        (b"x" * (MAX_BODY_BYTES + 1), JSON, 413, "body_too_large"),
        (event_text(), "text/plain", 415, "media_type"),
        (event_text(), "", 415, "media_type"),
        (event_text(), "application/json; charset=utf-16", 415, "charset"),
    ],
    ids=lambda value: str(value[:20]) if isinstance(value, bytes) else None,
)
def test_a_bad_body_is_refused_as_a_whole(
    text: bytes, kind: str, status: int, code: str, publisher: MemoryPublisher
) -> None:
    refused(post(text, kind), status, code)
    assert not publisher.published


@pytest.mark.parametrize(
    ("text", "encoding", "status", "code"),
    [
        (event_text(), "br", 415, "content_encoding"),
        (event_text(), "gzip", 400, "invalid_gzip"),
        (gzip.compress(event_text())[:-4], "gzip", 400, "invalid_gzip"),
        (gzip.compress(event_text()) + b"tail", "gzip", 400, "invalid_gzip"),
        (gzip.compress(b" " * 100_000_000), "gzip", 413, "body_too_large"),
    ],
    ids=["brotli", "plain", "truncated", "tail", "bomb"],
)
def test_a_bad_encoding_is_refused(
    text: bytes, encoding: str, status: int, code: str, publisher: MemoryPublisher
) -> None:
    refused(post(text, **{"Content-Encoding": encoding}), status, code)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_events_are_sent_by_post_alone(method: str, publisher: MemoryPublisher) -> None:
    response = Client().generic(method, "/api/v1/events", event_text(), content_type=JSON)
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_what_kafka_does_not_confirm_is_never_a_success(publisher: MemoryPublisher) -> None:
    publisher.away = True
    response = post(event_text(event_id=event_id(5)))
    refused(response, 503, "kafka_unavailable")
    assert said(response)["event_id"] == event_id(5)
    assert int(response["Retry-After"]) > 0


def test_an_unconfirmed_batch_says_with_which_ids_to_try_again(
    publisher: MemoryPublisher,
) -> None:
    publisher.away = True
    response = post(batch(event_fields(), event_fields(data=5)))
    refused(response, 503, "kafka_unavailable")
    unconfirmed, rejected = said(response)["results"]
    assert (unconfirmed["status"], rejected["status"]) == ("unconfirmed", "rejected")
    assert unconfirmed["event_id"]


def test_over_the_rate_a_request_is_told_when_to_come_again(
    publisher: MemoryPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = TokenBucket(rate=1.0)
    monkeypatch.setattr(views, "_bucket", lambda: bucket)
    assert post(event_text()).status_code == 202
    response = post(event_text())
    refused(response, 429, "rate_limited")
    assert int(response["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("", 401),
        ("Bearer wrong", 401),
        ("Basic ingest", 401),
        ("Bearer ", 401),
        ("Bearer read", 403),
        ("Bearer ingest", 202),
        ("bearer manage", 202),
    ],
)
def test_production_demands_a_key(
    header: str, status: int, publisher: MemoryPublisher, settings: Settings
) -> None:
    settings.API_KEYS_REQUIRED = True
    settings.INGEST_KEY, settings.READ_KEY, settings.MANAGEMENT_KEY = "ingest", "read", "manage"
    response = post(event_text(), **({"Authorization": header} if header else {}))
    assert response.status_code == status
    assert status != 401 or response["WWW-Authenticate"] == "Bearer"


def test_a_key_that_is_not_set_opens_nothing(
    publisher: MemoryPublisher, settings: Settings
) -> None:
    settings.API_KEYS_REQUIRED = True
    settings.INGEST_KEY = settings.MANAGEMENT_KEY = ""
    assert post(event_text(), Authorization="Bearer ").status_code == 401
