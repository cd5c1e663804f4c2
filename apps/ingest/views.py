"""POST /api/v1/events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError

from apps.ingest.body import MAX_BODY_BYTES, inflate, media_type, split
from apps.ingest.publisher import publisher
from apps.ingest.rate_limit import TokenBucket
from apps.ingest.services import Receipt, accept
from apps.web.answers import answer, refusal
from apps.web.errors import RequestRefused
from apps.web.keys import demand_ingest

RETRY_AFTER = 2  # seconds; Kafka's leader elections end within it


def post_events(request: HttpRequest) -> HttpResponse:
    """Accept one event, or a batch of up to 1,000. Never a 2xx before Kafka has confirmed."""
    try:
        if request.method != "POST":
            raise RequestRefused(405, "method_not_allowed", "events are sent by POST")
        demand_ingest(request)
        _within_rate()
        # META and not `headers`, which makes a mapping of them all.
        kind = media_type(request.META.get("CONTENT_TYPE", ""))
        text = inflate(_read(request), request.META.get("HTTP_CONTENT_ENCODING", ""))
        body = split(text, kind)
    except RequestRefused as error:
        return refusal(error)
    receipts = accept(body.events, publisher(), datetime.now(UTC))
    return _single(receipts[0]) if body.single else _batch(receipts)


@lru_cache(maxsize=1)
def _bucket() -> TokenBucket:
    return TokenBucket(rate=float(settings.RATE_LIMIT_RPS))


def _within_rate() -> None:
    wait = _bucket().take(time.monotonic())
    if wait > 0:
        limit = settings.RATE_LIMIT_RPS
        raise RequestRefused(
            429, "rate_limited", f"over {limit} requests a second", retry_after=int(wait) + 1
        )


def _read(request: HttpRequest) -> bytes:
    length = request.META.get("CONTENT_LENGTH", "")
    if not length and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        # Django reads a body without a length as empty: better refused than lost.
        raise RequestRefused(411, "length_required", "Content-Length is required")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise RequestRefused(413, "body_too_large", f"the body is over {MAX_BODY_BYTES} bytes")
    try:
        body = request.body
    except UnreadablePostError as error:
        raise RequestRefused(400, "truncated_body", "the body ended too early") from error
    if length.isdigit() and len(body) < int(length):
        # What came may be whole events, and the rest of the batch be lost in silence.
        raise RequestRefused(400, "truncated_body", "the body ended too early")
    return body


def _single(receipt: Receipt) -> HttpResponse:
    if receipt.accepted:
        return answer(202, {"status": "success", "event_id": receipt.event_id})
    body = {
        "status": "error",
        "error": receipt.message,
        "code": receipt.code,
        "pointer": receipt.pointer,
    }
    if not receipt.unconfirmed:
        return answer(400, body)
    return answer(503, {**body, "event_id": receipt.event_id}, retry_after=RETRY_AFTER)


def _batch(receipts: Sequence[Receipt]) -> HttpResponse:
    accepted = sum(receipt.accepted for receipt in receipts)
    rejected = len(receipts) - accepted
    body: dict[str, Any] = {
        "status": "success" if not rejected else "partial" if accepted else "error",
        "accepted": accepted,
        "rejected": rejected,
        "results": [receipt.as_result(index) for index, receipt in enumerate(receipts)],
    }
    if any(receipt.unconfirmed for receipt in receipts):
        message = "Kafka did not confirm every event; send those again with their event_id"
        body |= {"status": "error", "error": message, "code": "kafka_unavailable"}
        return answer(503, body, retry_after=RETRY_AFTER)
    return answer(202 if not rejected else 207 if accepted else 400, body)
