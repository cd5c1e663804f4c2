"""A method that an address of the API does not have, refused in the API's own words."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from apps.web.answers import refusal
from apps.web.errors import RequestRefused
from apps.web.pages import in_api


class MethodRefusals:
    """django-ninja answers such a request itself, in plain text, and asks no handler of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if not isinstance(response, HttpResponseNotAllowed) or not in_api(request):
            return response
        allowed = response["Allow"]
        told = refusal(RequestRefused(405, "method_not_allowed", f"this address takes {allowed}"))
        told["Allow"] = allowed
        return told
