"""The JSON API and its OpenAPI document."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from apps.ingest.schemas import POST_EVENTS
from apps.ingest.views import post_events
from apps.leaderboards.api import router as leaderboards
from apps.leaderboards.build_api import router as builds
from apps.leaderboards.moderation_api import router as moderation
from apps.leaderboards.read_api import router as standings
from apps.live.api import router as live
from apps.stats.aggregate_api import router as aggregates
from apps.stats.api import router as statistics
from apps.web.answers import answer, exact_json, refusal
from apps.web.errors import RequestRefused
from apps.web.keys import demand_read


class ExactBodies(Parser):
    """Numbers of a body are decimals where they are no integers: a float would round them."""

    def parse_body(self, request: HttpRequest) -> Any:
        return json.loads(request.body, parse_float=Decimal)


class ExactJson(BaseRenderer):
    """What the operations return leaves as what the views answer does."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return exact_json(data)


def _reader(request: HttpRequest) -> bool:
    demand_read(request)
    return True


api = NinjaAPI(
    title="gamemetrics",
    version="1",
    docs_url="/docs",
    openapi_url="/openapi.json",
    renderer=ExactJson(),
    parser=ExactBodies(),
    auth=[_reader],
)
api.add_router("/v1", statistics)
api.add_router("/v1", aggregates)
api.add_router("/v1", leaderboards)
api.add_router("/v1", builds)
api.add_router("/v1", moderation)
api.add_router("/v1", live)
api.add_router("/v1", standings)


@api.post(
    "/v1/events",
    tags=["ingest"],
    # The answers are those of POST_EVENTS; without any of its own, ninja would add a 200.
    response={202: None},
    openapi_extra=POST_EVENTS,
    auth=None,
)
def describe_events(request: HttpRequest) -> HttpResponse:
    """One event, `{"events": [...]}`, an array, or NDJSON; gzip allowed. Up to 1,000 events.

    202 means: each event takes effect exactly once in the log, the statistics and the
    leaderboards, or is kept in the dead letters with its cause.
    """
    return post_events(request)


@api.exception_handler(RequestRefused)
def _refused(request: HttpRequest, error: RequestRefused) -> HttpResponse:
    return refusal(error)


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    return refusal(RequestRefused(error.status_code, "invalid_json", str(error)))


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    where = [str(step) for step in first["loc"] if step not in {"body", "definition", "asked"}]
    if where[:1] in (["query"], ["path"]):
        # A parameter is flat; what follows its name is the branch of a union that refused it.
        where = where[1:2]
    body = {
        "status": "error",
        "error": f"{where[-1] if where else 'body'}: {first['msg']}",
        "code": first["type"],
        "pointer": "/" + "/".join(where),
    }
    return answer(400, body)
