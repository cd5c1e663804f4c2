"""A board with a filter and seasons: declared over HTTP, ranked, read in every way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.test import Client
from pytest_django.fixtures import Settings

from apps.contract.queues import Consumer
from apps.ledger.services import apply_chunk
from tests.builders import GAME, chunk, record
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db(transaction=True)
BOARDS = f"/api/v1/games/{GAME}/leaderboards"
LADDER: dict[str, Any] = {
    "name": "ladder",
    "event_types": ["match"],
    "score": "/points",
    "where": {"/mode": "ranked", "/share": {"gte": 0.1}},
    "operator": "sum",
    "periods": ["alltime", "season"],
    "season": "0 4 1 * *",
    "timezone": "Europe/Vienna",
}


@pytest.fixture
def manager(client: Client, settings: Settings, cache: redis.Redis) -> Client:
    settings.MANAGEMENT_KEY = "manage"
    client.defaults["HTTP_AUTHORIZATION"] = "Bearer manage"
    return client


def declare(manager: Client, **change: Any) -> tuple[int, dict[str, Any]]:
    answer = manager.post(BOARDS, {**LADDER, **change}, content_type="application/json")
    return answer.status_code, answer.json()


def played() -> None:
    """ada just before and just after the season begins; bo not ranked, cyd below the share."""
    records = [
        record(
            offset,
            player_id=player_id,
            event_type="match",
            at=at,
            data=f'{{"points": {points}, "mode": "{mode}", "share": {share}}}',
        )
        for offset, (player_id, at, points, mode, share) in enumerate(
            [
                ("ada", datetime(2026, 7, 1, 1, 59, 59, 999_999, UTC), 5, "ranked", "0.1"),
                ("ada", datetime(2026, 7, 1, 2, tzinfo=UTC), 7, "ranked", "0.10"),
                ("bo", datetime(2026, 7, 1, 2, tzinfo=UTC), 9, "casual", "0.1"),
                ("cyd", datetime(2026, 7, 1, 2, tzinfo=UTC), 9, "ranked", "0.09999999999999999999"),
            ]
        )
    ]
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk(records))


def read(client: Client, **asked: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/leaderboards/{GAME}/ladder", asked)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_only_what_passes_counts_and_the_season_begins_on_the_minute(manager: Client) -> None:
    assert declare(manager)[0] == 201
    played()
    july = read(manager, period="season", at="2026-07-14")
    assert (july["period_start"], july["period_end"]) == (
        "2026-07-01T02:00:00Z",
        "2026-08-01T02:00:00Z",
    )
    assert [(line["player_id"], line["score"]) for line in july["entries"]] == [("ada", 7)]
    june = read(manager, period="season", at="2026-07-01T03:59:59")
    assert [(line["player_id"], line["score"]) for line in june["entries"]] == [("ada", 5)]
    assert read(manager)["total"] == 1


def test_the_page_shows_the_season(manager: Client) -> None:
    declare(manager)
    played()
    page = manager.get(f"/boards/{GAME}/ladder/", {"period": "season"})
    assert "This season" in page.content.decode()
    past = manager.get(f"/boards/{GAME}/ladder/", {"period": "season", "at": "2026-07-02"})
    assert "2026-07-01 to 2026-08-01" in past.content.decode()


def test_what_is_declared_is_told_and_said_again_changes_nothing(manager: Client) -> None:
    status, body = declare(manager)
    assert status == 201
    assert {name: body[name] for name in ("operator", "season", "score", "timezone")} == {
        "operator": "sum",
        "season": "0 4 1 * *",
        "score": "/points",
        "timezone": "Europe/Vienna",
    }
    assert body["where"] == {"/mode": {"eq": "ranked"}, "/share": {"gte": 0.1}}
    assert declare(manager, where=body["where"])[0] == 200
    assert declare(manager, where={})[0] == 409


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"where": {"/mode": {"like": "r"}}}, "/where/~1mode/like", "where_invalid"),
        ({"where": {"/mode": "\ud800"}}, "/where/~1mode", "where_invalid"),
        ({"where": {"/mode": {"in": ["a", "\x00"]}}}, "/where/~1mode/in/1", "where_invalid"),
        ({"where": {"/\ud800": "a"}}, "/where/~1\\ud800", "where_invalid"),
        ({"where": {"/mode": float("nan")}}, "/where/~1mode", "where_invalid"),
        ({"reason": "a\x00b"}, "/reason", "string_pattern_mismatch"),
        ({"season": "0 4 1 *"}, "/season", "season_invalid"),
        ({"score": ""}, "/score", "score_missing"),
    ],
)
def test_a_fault_is_answered_with_its_pointer(
    change: dict[str, Any], pointer: str, code: str, manager: Client
) -> None:
    status, body = declare(manager, **change)
    assert (status, body["pointer"], body["code"]) == (400, pointer, code)


def test_a_count_needs_no_score(manager: Client) -> None:
    body = {"name": "played", "event_types": ["match"], "operator": "count"}
    assert manager.post(BOARDS, body, content_type="application/json").status_code == 201
    played()
    answer = manager.get(f"/api/v1/leaderboards/{GAME}/played").json()
    assert [(line["player_id"], line["score"]) for line in answer["entries"]] == [
        ("ada", 2),
        ("bo", 1),
        ("cyd", 1),
    ]
