"""JSON answers, and how every refusal looks."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse

from apps.web.errors import RequestRefused

# Decimals leave as JSON numbers with every digit; a float would round them.
exact_json = msgspec.json.Encoder(decimal_format="number").encode


def sayable(text: str) -> str:
    """The text of a request as an answer can bear it: lone surrogates as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def answer(status: int, body: Any, *, retry_after: int = 0) -> HttpResponse:
    """A JSON response."""
    response = HttpResponse(exact_json(body), status=status, content_type="application/json")
    if retry_after:
        response["Retry-After"] = str(retry_after)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if status == 405:
        response["Allow"] = "POST"
    return response


def refusal(error: RequestRefused) -> HttpResponse:
    """The answer to a request that is refused as a whole."""
    body = {
        "status": "error",
        "error": error.message,
        "code": error.code,
        "pointer": sayable(error.pointer),
    }
    return answer(error.status, body, retry_after=error.retry_after)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django itself refuses: another host's name, a body that is too large."""
    return refusal(RequestRefused(400, "bad_request", "the request is not one that we take"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """An address that does not exist."""
    return refusal(RequestRefused(404, "not_found", f"there is nothing at {request.path}"))


def server_error(request: HttpRequest) -> HttpResponse:
    """A fault of ours; the log has it, the answer does not."""
    return refusal(RequestRefused(500, "internal", "the request failed; the fault is in the log"))
