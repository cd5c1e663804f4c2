"""The API does what its OpenAPI document says, whatever is sent that fits or breaks it."""

import os
from typing import Any

import pytest
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
    ("/api/v1/games/{game_id}/leaderboards", "POST"),
    ("/api/v1/leaderboards/{game_id}/{board}", "GET"),
    ("/api/v1/leaderboards/{game_id}/{board}/players/{player_id}", "GET"),
    ("/api/v1/leaderboards/{game_id}/{board}/lookup", "POST"),
)
CONFORMANCE = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def document(stack: Stack) -> schemathesis.BaseSchema:
    becomes_ready(stack)
    return schemathesis.openapi.from_url(f"{stack.url}/api/openapi.json")


def test_every_operation_of_the_document_is_tried(document: schemathesis.BaseSchema) -> None:
    found = {(path, method.upper()) for path in document for method in document[path]}
    assert found == set(OPERATIONS)


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

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: schemathesis.Case[Any]) -> None:
        response = case.call(headers=headers)
        if response.status_code == 503:
            return
        case.validate_response(response, checks=[not_a_server_error, *CONFORMANCE])

    tried()
