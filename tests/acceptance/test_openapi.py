"""The API does what its OpenAPI document says, whatever is sent that fits or breaks it."""

import os
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.acceptance.faults import becomes_ready
from tests.services import Stack

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
OPERATIONS = (
    ("/api/v1/events", "POST"),
    ("/api/v1/players/{player_id}/stats", "GET"),
    ("/api/v1/players/{player_id}/stats/daily", "GET"),
    ("/api/v1/games/{game_id}/stats", "GET"),
    ("/api/v1/games/{game_id}/aggregates", "GET"),
    ("/api/v1/games/{game_id}/aggregates", "POST"),
    ("/api/v1/games/{game_id}/aggregates/{name}", "PUT"),
    ("/api/v1/games/{game_id}/leaderboards", "POST"),
    ("/api/v1/games/{game_id}/leaderboards/{name}", "PUT"),
    ("/api/v1/games/{game_id}/leaderboards/{name}/builds", "GET"),
    ("/api/v1/games/{game_id}/leaderboards/{name}/builds/{number}", "GET"),
    ("/api/v1/games/{game_id}/leaderboards/{name}/builds/{number}/switch", "POST"),
    ("/api/v1/games/{game_id}/leaderboards/{name}/builds/{number}/cancel", "POST"),
    ("/api/v1/games/{game_id}/quarantine", "GET"),
    ("/api/v1/games/{game_id}/quarantine/release", "POST"),
    ("/api/v1/games/{game_id}/quarantine/remove", "POST"),
    ("/api/v1/games/{game_id}/moderation", "GET"),
    ("/api/v1/games/{game_id}/moderation/hide", "POST"),
    ("/api/v1/games/{game_id}/moderation/unhide", "POST"),
    ("/api/v1/games/{game_id}/moderation/remove", "POST"),
    ("/api/v1/games/{game_id}/moderation/{act_id}/undo", "POST"),
    ("/api/v1/leaderboards/{game_id}/{board}", "GET"),
    ("/api/v1/leaderboards/{game_id}/{board}/players/{player_id}", "GET"),
    ("/api/v1/leaderboards/{game_id}/{board}/lookup", "POST"),
)
STREAM = ("/api/v1/games/{game_id}/live", "GET")
CONFORMANCE = [status_code_conformance, content_type_conformance, response_schema_conformance]


_fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def document(stack: Stack) -> schemathesis.BaseSchema:
    becomes_ready(stack)
    return schemathesis.openapi.from_url(f"{stack.url}/api/openapi.json")


def test_every_operation_of_the_document_is_tried(document: schemathesis.BaseSchema) -> None:
    found = {(path, method.upper()) for path in document for method in document[path]}
    assert found == {*OPERATIONS, STREAM}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_an_operation_answers_as_its_document_says(
    document: schemathesis.BaseSchema,
    stack: Stack,
    path: str,
    method: str,
    mode: schemathesis.GenerationMode,
) -> None:
    operation = document[path][method]
    headers = {"Authorization": f"Bearer {stack.env['MANAGEMENT_KEY']}"}

    @_fuzzed
    @given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: schemathesis.Case[Any]) -> None:
        response = case.call(headers=headers)
        if response.status_code == 503:
            return
        case.validate_response(response, checks=[not_a_server_error, *CONFORMANCE])

    tried()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_a_stream_begins_or_is_refused_as_its_document_says(
    document: schemathesis.BaseSchema, mode: schemathesis.GenerationMode
) -> None:
    path, method = STREAM
    operation = document[path][method]

    @_fuzzed
    @given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: schemathesis.Case[Any]) -> None:
        # It never ends by itself: the head and the first line are what there is to see.
        with requests.request(**case.as_transport_kwargs(), stream=True, timeout=30) as response:
            kind = response.headers["Content-Type"]
            if response.status_code == 200:
                assert kind == "text/event-stream"
                assert next(response.iter_lines()).startswith(b"retry: ")
            else:
                assert response.status_code in {400, 401, 404, 503}
                assert kind == "application/json"
                assert response.json()["status"] == "error"

    tried()
