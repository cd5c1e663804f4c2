"""Who may do what: static keys by `Authorization: Bearer`."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import HttpRequest

from apps.web.errors import RequestRefused


def demand(request: HttpRequest, *allowed: str) -> None:
    """Refuse a request that does not bear one of the `allowed` keys (empty ones never match).

    Raises RequestRefused (401), the same for a missing, a wrong and a revoked key.
    """
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    matches = [hmac.compare_digest(presented.encode(), key.encode()) for key in allowed if key]
    if scheme.lower() != "bearer" or not any(matches):
        raise RequestRefused(401, "auth_required", "a valid key is needed: Authorization: Bearer")


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
