"""Who may watch: who may read, and an operator in a browser, which cannot send a key."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from apps.web.keys import demand_read

PERMISSION = "leaderboards.view_entry"


def demand_watcher(request: HttpRequest) -> None:
    """Let in who is logged in to the admin and may see entries there; else as other reads.

    Raises RequestRefused (401, 403).
    """
    if settings.API_KEYS_REQUIRED and not request.user.has_perm(PERMISSION):
        demand_read(request)
