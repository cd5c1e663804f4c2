"""GET /metrics of the web process."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

# What has to be looked up, not counted as it happens; the owners add themselves.
before_scrape: list[Callable[[], None]] = []


def metrics(request: HttpRequest) -> HttpResponse:
    """The process's metrics in Prometheus's text format."""
    for refresh in before_scrape:
        refresh()
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
