"""PostgreSQL away, or too slow: an answer that tells the client to come again, no fault of ours."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from apps.web.answers import refusal
from apps.web.errors import RequestRefused

logger = logging.getLogger(__name__)
RETRY_AFTER: Final = 5  # seconds


class DatabaseOutages:
    """Answers 503 `database_unavailable` where PostgreSQL is not there, gave up or was given up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, (OperationalError, InterfaceError)):
            return None
        logger.warning("request without a database", extra={"error": str(exception)})
        told = "the database did not answer in time: ask again"
        return refusal(RequestRefused(503, "database_unavailable", told, retry_after=RETRY_AFTER))
