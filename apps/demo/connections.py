"""HTTP to the stack's API."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import httpx

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)


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


def retry_after(response: httpx.Response, default: float) -> float:
    """Seconds that the server asks us to wait, at most 30."""
    told = response.headers.get("Retry-After", "")
    return min(float(told), 30.0) if told.isdecimal() else default
