"""Odd parameters of the reads are refused by name: none of them is a fault of ours."""

from __future__ import annotations

import pytest
import redis
from django.test import Client
from pytest_django.fixtures import Settings

pytestmark = pytest.mark.django_db
BOARDS = "/api/v1/games/chess/leaderboards"
DECLARATION = {
    "name": "points",
    "event_types": ["player_score"],
    "score": "/score",
    "operator": "sum",
}


@pytest.mark.parametrize(
    ("address", "pointer"),
    [
        ("/api/v1/players/a%00b/stats?game_id=chess", "/player_id"),
        ("/api/v1/players/ada/stats?game_id=a%00b", "/game_id"),
        (f"/api/v1/players/{'x' * 513}/stats?game_id=chess", "/player_id"),
        ("/api/v1/players/ada/stats", "/game_id"),
        ("/api/v1/leaderboards/a%00b/default", "/game_id"),
        ("/api/v1/leaderboards/chess/default?at=0001-01-01&period=weekly", "/at"),
        ("/api/v1/leaderboards/chess/default?at=0001-01-01T00:00:00%2B14:00", "/at"),
        ("/api/v1/leaderboards/chess/default?at=9999-12-31&period=monthly", "/at"),
        ("/api/v1/leaderboards/chess/default?limit=1e99", "/limit"),
    ],
)
def test_a_read_beyond_its_range_is_refused(
    address: str, pointer: str, client: Client, cache: redis.Redis
) -> None:
    response = client.get(address)
    assert response.status_code == 400
    assert response.json()["code"]
    assert response.json()["pointer"] == pointer


@pytest.mark.parametrize("name", ["a%00b", "%F0%9F%8F%86", "a%1Fb", "unheard-of"])
@pytest.mark.parametrize(
    "address", ["/api/v1/leaderboards/chess/{}", "/api/v1/games/chess/live?board={}"]
)
def test_whatever_is_no_name_of_a_board_is_not_found(
    address: str, name: str, client: Client, cache: redis.Redis
) -> None:
    response = client.get(address.format(name))
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("at", ["1970-01-01", "9998-12-31T23:59:59Z", "2024-02-29"])
@pytest.mark.parametrize("period", ["daily", "weekly", "monthly"])
def test_a_period_at_either_edge_is_empty(
    at: str, period: str, client: Client, cache: redis.Redis
) -> None:
    response = client.get(f"/api/v1/leaderboards/chess/default?at={at}&period={period}")
    assert (response.status_code, response.json()["total"]) == (200, 0)


@pytest.mark.parametrize(
    ("game_id", "change"),
    [
        ("a%00b", {}),
        ("x" * 129, {}),
        ("chess", {"event_types": ["a\x00b"]}),
        ("chess", {"event_types": ["x" * 3_000]}),
        ("chess", {"score": "/a\x00b"}),
        ("chess", {"timezone": "../../etc/passwd"}),
    ],
)
def test_a_board_that_cannot_be_kept_is_refused(
    game_id: str, change: dict[str, object], client: Client, settings: Settings
) -> None:
    settings.MANAGEMENT_KEY = "manage"
    response = client.post(
        f"/api/v1/games/{game_id}/leaderboards",
        {**DECLARATION, **change},
        content_type="application/json",
        headers={"Authorization": "Bearer manage"},
    )
    assert response.status_code == 400
    assert response.json()["code"]


def test_a_declaration_that_is_no_json_is_told_so(client: Client, settings: Settings) -> None:
    settings.MANAGEMENT_KEY = "manage"
    response = client.post(
        BOARDS, "{", content_type="application/json", headers={"Authorization": "Bearer manage"}
    )
    assert (response.status_code, response.json()["code"]) == (400, "invalid_json")
