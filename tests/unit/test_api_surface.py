"""What holds for every address of the API: its refusals, its document, no sessions."""

from __future__ import annotations

import pytest
from django.test import Client

READS = ("/api/v1/players/ada/stats?game_id=chess", "/api/v1/leaderboards/chess/default")


@pytest.mark.parametrize("address", READS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_another_method_is_refused_as_all_else_is(method: str, address: str) -> None:
    response = Client().generic(method, address)
    assert (response.status_code, response["Allow"]) == (405, "GET")
    assert response.json() == {
        "status": "error",
        "error": "this address takes GET",
        "code": "method_not_allowed",
        "pointer": "",
    }


def test_a_post_of_events_never_answers_200_and_its_document_says_so() -> None:
    document = Client().get("/api/openapi.json").json()
    answers = document["paths"]["/api/v1/events"]["post"]["responses"]
    assert set(answers) == {
        *("202", "207", "400", "401", "403", "405", "411", "413", "415", "429", "503"),
    }
    assert answers["202"]["description"] == "Kafka has confirmed every event."


def test_no_cookie_opens_the_api() -> None:
    """It is spared the middleware of pages: no session is read, made or protected there."""
    client = Client(enforce_csrf_checks=True)
    client.cookies["sessionid"] = "somebody"
    response = client.put(READS[0])
    assert response.status_code == 405
    assert not response.cookies
    assert not hasattr(response.wsgi_request, "session")


def test_a_page_has_its_session_and_its_csrf_check() -> None:
    refused = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "ada"})
    assert refused.status_code == 403
    assert hasattr(refused.wsgi_request, "session")
