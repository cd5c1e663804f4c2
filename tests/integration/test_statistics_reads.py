"""What the API tells of players' days and of games."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import redis
from django.test import Client

from apps.contract.queues import Consumer
from apps.ledger.services import apply_chunk
from tests.builders import GAME, chunk, record
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db
NOON = datetime(2024, 2, 28, 12, tzinfo=UTC)
DAILY = f"/api/v1/players/ada/stats/daily?game_id={GAME}"
TOTALS = f"/api/v1/games/{GAME}/stats"


@pytest.fixture(autouse=True)
def applied(cache: redis.Redis) -> None:
    """Ada is active on three days around a leap day, twice on the first; bo on that alone."""
    cast = [("ada", 0), ("ada", 0), ("bo", 0), ("ada", 1), ("ada", 2)]
    records = [
        msgspec.structs.replace(
            record(offset, player_id=player_id, at=NOON + timedelta(days=days, minutes=offset)),
            session_id="s",
        )
        for offset, (player_id, days) in enumerate(cast)
    ]
    apply_chunk(CONSUMERS[Consumer.STATS], chunk(records))


def read(client: Client, address: str) -> dict[str, Any]:
    response = client.get(address)
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def test_a_player_has_sessions_beside_what_there_was(client: Client) -> None:
    assert read(client, f"/api/v1/players/ada/stats?game_id={GAME}") == {
        "player_id": "ada",
        "game_id": GAME,
        "total_events": 4,
        "events": {"player_score": 4},
        "first_event_at": "2024-02-28T12:00:00Z",
        "last_event_at": "2024-03-01T12:04:00Z",
        "sessions": 1,
        "aggregates": {},
    }


def test_a_history_has_the_active_days_of_its_range_without_its_end(client: Client) -> None:
    found = read(client, f"{DAILY}&from=2024-02-28&to=2024-03-01")
    assert (found["player_id"], found["from"], found["to"]) == ("ada", "2024-02-28", "2024-03-01")
    assert found["days"] == [
        {
            "day": "2024-02-28",
            "total_events": 2,
            "events": {"player_score": 2},
            "sessions": 1,
            "first_event_at": "2024-02-28T12:00:00Z",
            "last_event_at": "2024-02-28T12:01:00Z",
            "aggregates": {},
        },
        {
            "day": "2024-02-29",
            "total_events": 1,
            "events": {"player_score": 1},
            "sessions": 1,
            "first_event_at": "2024-02-29T12:03:00Z",
            "last_event_at": "2024-02-29T12:03:00Z",
            "aggregates": {},
        },
    ]


def test_a_history_without_a_range_is_of_the_last_30_days(client: Client) -> None:
    found = read(client, DAILY)
    start, end = (datetime.fromisoformat(found[name]).date() for name in ("from", "to"))
    assert (end - start).days == 30
    assert found["days"] == []


def test_a_game_has_totals_of_all_time_and_by_day(client: Client) -> None:
    assert read(client, f"{TOTALS}?from=2024-02-28&to=2024-03-01") == {
        "game_id": GAME,
        "total_events": 5,
        "players": 2,
        "from": "2024-02-28",
        "to": "2024-03-01",
        "days": [
            {"day": "2024-02-28", "total_events": 3, "active_players": 2},
            {"day": "2024-02-29", "total_events": 1, "active_players": 1},
        ],
    }


@pytest.mark.parametrize(
    "address", [f"/api/v1/players/dan/stats/daily?game_id={GAME}", "/api/v1/games/go/stats"]
)
def test_who_has_no_event_is_not_found(address: str, client: Client) -> None:
    response = client.get(address)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("address", [DAILY + "&", TOTALS + "?"])
@pytest.mark.parametrize(
    ("days", "pointer"),
    [
        ("from=2024-02-29&to=2024-02-29", "/from"),
        ("from=2024-03-01&to=2024-02-29", "/from"),
        ("from=2023-02-28&to=2024-03-01", "/from"),
        ("from=yesterday", "/from"),
        ("to=2024-02-30", "/to"),
        ("to=0001-01-02", "/to"),
        ("from=9999-12-31", "/from"),
    ],
)
def test_a_range_that_is_none_is_refused_by_name(
    address: str, days: str, pointer: str, client: Client
) -> None:
    response = client.get(address + days)
    assert response.status_code == 400
    assert (response.json()["status"], response.json()["pointer"]) == ("error", pointer)
