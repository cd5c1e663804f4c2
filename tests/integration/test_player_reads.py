"""A player's place and neighbours, and the places of many, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.leaderboards import rank_index, rank_reads, selectors
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.rules import Order
from tests.builders import GAME, minutes
from tests.redis_servers import nobody_there
from tests.standings import SCOPE, expected_lines, fill, fill_by_sql, lines_of, oracle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cache", "source")]
DEFAULT = rank_index.BoardPeriod(
    game_id=GAME, board="default", period=SCOPE.period, period_start=SCOPE.period_start
)
BOARD = f"/api/v1/leaderboards/{GAME}/default"


@pytest.fixture(params=["redis", "postgresql"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything is asked of both."""
    with nobody_there() as away:
        if request.param == "postgresql":
            monkeypatch.setattr(rank_reads, "client", lambda: away)
        yield


def read(client: Client, address: str, **asked: Any) -> dict[str, Any]:
    response = client.get(f"{BOARD}{address}", {"scores": "string", **asked})
    assert response.status_code == 200, response.content
    return dict(response.json())


def place(client: Client, player_id: str, **asked: Any) -> dict[str, Any]:
    return read(client, f"/players/{quote(player_id, safe='')}", **asked)


def look_up(client: Client, player_ids: list[Any], **asked: Any) -> Any:
    query = "&".join(f"{name}={value}" for name, value in {"scores": "string", **asked}.items())
    return client.post(
        f"{BOARD}/lookup?{query}", {"player_ids": player_ids}, content_type="application/json"
    )


def test_a_player_is_shown_with_neighbours(client: Client) -> None:
    fill_by_sql(9, "n", DEFAULT)
    found = place(client, "p5", around=1)
    assert found["entry"] == found["entries"][1]
    assert found["entry"]["rank"] == 5
    assert found["total"] == 9
    assert found["percentile"] == 55.5555
    assert [entry["player_id"] for entry in found["entries"]] == ["p6", "p5", "p4"]


@pytest.mark.parametrize(
    ("player_id", "around", "first", "last"),
    [
        ("p9", 2, "p9", "p5"),  # rank 1
        ("p8", 2, "p9", "p5"),
        ("p7", 2, "p9", "p5"),
        ("p6", 2, "p8", "p4"),
        ("p2", 2, "p5", "p1"),
        ("p1", 2, "p5", "p1"),  # the last
        ("p5", 0, "p5", "p5"),
        ("p5", 100, "p9", "p1"),
    ],
)
def test_the_window_is_shifted_at_the_edges(
    client: Client, player_id: str, around: int, first: str, last: str
) -> None:
    fill_by_sql(9, "n", DEFAULT)
    names = [entry["player_id"] for entry in place(client, player_id, around=around)["entries"]]
    assert (names[0], names[-1]) == (first, last)


def test_the_only_player_is_first_and_last(client: Client) -> None:
    fill([("ada", Decimal("0.5"), minutes(0))], scope=DEFAULT)
    found = place(client, "ada")
    assert (found["entry"]["rank"], found["percentile"], found["total"]) == (1, 100, 1)
    assert (found["next"], found["prev"]) == (None, None)
    assert found["entry"]["score"] == "0.5"


@pytest.mark.parametrize("entries", [0, 3])
def test_a_player_without_an_entry_is_not_found(client: Client, entries: int) -> None:
    fill_by_sql(entries, "n", DEFAULT)
    response = client.get(f"{BOARD}/players/nobody")
    assert response.status_code == 404
    assert response.json() == {
        "status": "error",
        "error": "'nobody' has no entry in this period",
        "code": "not_ranked",
        "pointer": "/player_id",
    }


@pytest.mark.parametrize("mode", RankMode)
def test_a_thousand_tied_players_rank_by_the_mode(client: Client, mode: RankMode) -> None:
    fill_by_sql(1_200, "CASE WHEN n <= 1000 THEN 7 ELSE n END", DEFAULT)
    stands = oracle(Order.DESC, DEFAULT)
    found = place(client, "p900", around=3, rank_mode=mode.value)
    index = next(i for i, stand in enumerate(stands) if stand.player_id == "p900")
    assert lines_of(found) == expected_lines(stands[index - 3 : index + 4], mode)
    assert Decimal(str(found["percentile"])) == stands[index].percentile
    answer = look_up(client, ["p900", "p1", "p1200"], rank_mode=mode.value).json()
    expected = [stand for stand in stands if stand.player_id in {"p900", "p1", "p1200"}]
    assert lines_of(answer) == expected_lines(expected, mode)


@pytest.mark.parametrize("player_id", ["日本 😀", "a/b", "a|b{c}", "%00", "ä", "x" * 512])
def test_any_player_id_can_be_asked_for(client: Client, player_id: str) -> None:
    fill([(player_id, Decimal(1), minutes(0)), ("bo", Decimal(2), minutes(0))], scope=DEFAULT)
    assert place(client, player_id)["entry"]["player_id"] == player_id
    answer = look_up(client, [player_id]).json()
    assert [entry["player_id"] for entry in answer["entries"]] == [player_id]
    page = read(client, "", limit=1)
    after = read(client, "", limit=1, cursor=page["next"])
    assert [entry["player_id"] for entry in after["entries"]] == [player_id]
    assert read(client, "", cursor=after["prev"])["entries"] == page["entries"]


def test_a_lookup_names_whom_it_did_not_find(client: Client) -> None:
    fill_by_sql(5, "n", DEFAULT)
    answer = look_up(client, ["zoe", "p2", "ada", "p4", "p2", "zoe"]).json()
    assert [(e["rank"], e["player_id"]) for e in answer["entries"]] == [(2, "p4"), (4, "p2")]
    assert answer["not_found"] == ["zoe", "ada"]
    assert answer["total"] == 5


def test_a_lookup_on_an_empty_board_finds_nobody(client: Client) -> None:
    answer = look_up(client, ["ada"]).json()
    assert (answer["entries"], answer["not_found"], answer["total"]) == ([], ["ada"], 0)


@pytest.mark.parametrize(
    ("player_ids", "pointer"),
    [
        ([], "/player_ids"),
        (["a"] * 201, "/player_ids"),
        ([""], "/player_ids/0"),
        (["ada", 1], "/player_ids/1"),
        (["a\x00b"], "/player_ids/0"),
        (["\ud800"], "/player_ids/0"),
    ],
)
def test_a_lookup_beyond_its_bounds_is_refused(
    client: Client, player_ids: list[Any], pointer: str
) -> None:
    response = look_up(client, player_ids)
    assert (response.status_code, response.json()["pointer"]) == (400, pointer)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("around=-1", "/around"),
        ("around=101", "/around"),
        ("rank_mode=best", "/rank_mode"),
        ("scores=words", "/scores"),
        ("period=yearly", "/period"),
        ("at=0001-01-01", "/at"),
        ("at=never", "/at"),
    ],
)
def test_an_odd_parameter_is_refused_by_name(client: Client, query: str, pointer: str) -> None:
    response = client.get(f"{BOARD}/players/ada?{query}")
    assert (response.status_code, response.json()["pointer"]) == (400, pointer)


@pytest.mark.parametrize("address", ["/players/ada", "/lookup"])
def test_an_undeclared_board_is_not_found(client: Client, address: str) -> None:
    address = f"/api/v1/leaderboards/{GAME}/nothing{address}"
    response = (
        client.post(address, {"player_ids": ["ada"]}, content_type="application/json")
        if address.endswith("lookup")
        else client.get(address)
    )
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert selectors.definition_of(GAME, "nothing") is None


def test_zero_is_zero_whatever_its_sign(client: Client) -> None:
    fill([("ada", Decimal("-0.0"), minutes(0)), ("bo", Decimal(0), minutes(1))], scope=DEFAULT)
    assert [entry["score"] for entry in read(client, "")["entries"]] == ["0", "0"]


@pytest.mark.parametrize(("key", "status"), [("", 401), ("ingest", 403), ("read", 200)])
def test_where_keys_are_required_a_read_needs_one(
    client: Client, settings: Settings, key: str, status: int
) -> None:
    settings.API_KEYS_REQUIRED = True
    settings.INGEST_KEY, settings.READ_KEY = "ingest", "read"
    fill([("ada", Decimal(1), minutes(0))], scope=DEFAULT)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    asked = {"player_ids": ["ada"]}
    looked = client.post(f"{BOARD}/lookup", asked, content_type="application/json", headers=headers)
    shown = client.get(f"{BOARD}/players/ada", headers=headers)
    assert (looked.status_code, shown.status_code) == (status, status)
