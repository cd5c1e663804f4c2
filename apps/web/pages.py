"""The middleware that only pages need: sessions, CSRF, users, messages.

The API knows its clients by a key in each request, never by a cookie. It is spared these four,
which cost a POST of one event more than all else that Django does.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin

API: Final = "/api/"
# A browser cannot send a key with EventSource: its stream is opened by the admin's session.
STREAM: Final = "/live"


def in_api(request: HttpRequest) -> bool:
    """Whether a program asks, not somebody with a browser and a session."""
    path = request.path_info
    return path.startswith(API) and not path.endswith(STREAM)


class _PagesOnly(MiddlewareMixin):
    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if in_api(request):
            return self.get_response(request)
        return super().__call__(request)


# Subclasses of Django's own, because the admin's system checks look for those.
class PageSessions(_PagesOnly, SessionMiddleware): ...


class PageCsrf(_PagesOnly, CsrfViewMiddleware): ...


class PageUsers(_PagesOnly, AuthenticationMiddleware): ...


class PageMessages(_PagesOnly, MessageMiddleware): ...
