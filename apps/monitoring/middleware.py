"""The duration of every request, by route."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.monitoring import metrics


class RequestDuration:
    """Outermost, so that it measures the other middleware too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self._get_response(request)
        match = request.resolver_match
        metrics.http_request_duration.labels(
            method=request.method if request.method in _METHODS else "other",
            # The route, not the path: a path of a client's choosing would be a new series.
            route=match.route if match else "unmatched",
            status=response.status_code,
        ).observe(time.perf_counter() - began)
        return response


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
