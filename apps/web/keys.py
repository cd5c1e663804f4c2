"""Who may do what: static keys by `Authorization: Bearer`."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

from django.conf import settings
from django.http import HttpRequest

from apps.web.errors import RequestRefused

# Who acts by the management key; it has no name.
MANAGEMENT: Final = "management key"


def demand(request: HttpRequest, *allowed: str) -> None:
    """Refuse a request that does not bear one of the `allowed` keys (empty ones never match).

    Raises RequestRefused: 401, the same for a missing, a wrong and a revoked key; 403 for a key
    that opens something else.
    """
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        if _is_among(presented, allowed):
            return
        if _is_among(presented, (settings.INGEST_KEY, settings.READ_KEY, settings.MANAGEMENT_KEY)):
            raise RequestRefused(403, "forbidden", "this key does not open this: see the README")
    raise RequestRefused(401, "auth_required", "a valid key is needed: Authorization: Bearer")


def _is_among(presented: str, keys: Iterable[str]) -> bool:
    given = presented.encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(given, key.encode()) for key in keys if key)


def demand_ingest(request: HttpRequest) -> None:
    """Ingest is open unless keys are required (production)."""
    if settings.API_KEYS_REQUIRED:
        demand(request, settings.INGEST_KEY, settings.MANAGEMENT_KEY)


def demand_read(request: HttpRequest) -> None:
    """Reads are open unless keys are required (production)."""
    if settings.API_KEYS_REQUIRED:
        demand(request, settings.READ_KEY, settings.MANAGEMENT_KEY)


def demand_management(request: HttpRequest) -> None:
    """What changes configuration always needs the management key."""
    demand(request, settings.MANAGEMENT_KEY)


def manager(request: HttpRequest) -> bool:
    """`auth` of an operation, asked before the body is looked at: a stranger learns nothing from
    validation errors. Raises RequestRefused."""
    demand_management(request)
    return True
