"""HTTP to the stack's API."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from apps.demo.failure import Failed

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
PATIENCE: Final = 60.0  # seconds for which a server that is busy or away is asked again
RETRY_SECONDS: Final = 0.5  # unless the server says otherwise
BUSY: Final = frozenset({429, 502, 503})


class ApiUnreachable(Failed):
    """The API does not answer."""


def client(url: str, headers: Mapping[str, str] | None = None) -> httpx.Client:
    """A client of one kept-alive connection. It takes no proxy from the environment."""
    # A line for every batch would drown the progress.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.Client(
        base_url=url,
        headers=dict(headers or {}),
        timeout=TIMEOUT,
        limits=httpx.Limits(max_connections=1),
        trust_env=False,
    )


def retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks us to wait, at most 30."""
    told = response.headers.get("Retry-After", "")
    return min(float(told), 30.0) if told.isdecimal() else RETRY_SECONDS


def patiently(request: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer of a server that was busy or away for a moment, or its last refusal.

    For requests that may be repeated. Raises ApiUnreachable.
    """
    until = time.monotonic() + PATIENCE
    pause = threading.Event()
    while True:
        try:
            response = request()
            wait = retry_after(response)
            if response.status_code not in BUSY or time.monotonic() > until:
                return response
        except httpx.TransportError as error:
            wait = RETRY_SECONDS
            if time.monotonic() > until:
                raise ApiUnreachable(f"the API does not answer: {error}") from error
        pause.wait(wait)
