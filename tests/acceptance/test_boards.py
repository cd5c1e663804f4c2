"""Boards declared as data, before and after their events, read in every way."""

from typing import Any

import httpx
import pytest

from tests.acceptance.games import Game
from tests.acceptance.streams import Event
from tests.acceptance.waiting import until

POINTS: dict[str, Any] = {
    "name": "points",
    "event_types": ["match_ended"],
    "score": "/points",
    "operator": "sum",
}


def declare(game: Game, board: dict[str, Any], key: str | None = None) -> httpx.Response:
    key = game.stack.env["MANAGEMENT_KEY"] if key is None else key
    return game.http.post(
        f"/api/v1/games/{game.game_id}/leaderboards",
        json=board,
        headers={"Authorization": f"Bearer {key}"} if key else {},
    )


def read(game: Game, board: str = "points", **asked: Any) -> dict[str, Any]:
    answer = game.http.get(f"/api/v1/leaderboards/{game.game_id}/{board}", params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def lines(found: dict[str, Any]) -> list[tuple[int, str, Any]]:
    return [(entry["rank"], entry["player_id"], entry["score"]) for entry in found["entries"]]


def match(game: Game, player: str, at: str, points: Any) -> Event:
    return game.event(player, event_type="match_ended", timestamp=at, data={"points": points})


def play(game: Game) -> None:
    """Two months, three weeks, four days of matches; bo and cyd tie."""
    answer = game.post(
        [
            match(game, "ada", "2024-01-31T23:59:59.999999Z", 5),
            match(game, "ada", "2024-02-01T00:00:00Z", 2.5),
            match(game, "bo", "2024-02-01T10:00:00Z", 3),
            match(game, "cyd", "2024-02-01T09:00:00Z", 3),
            match(game, "bo", "2024-02-04T23:00:00Z", 1),
            match(game, "cyd", "2024-02-05T00:00:00Z", 1),
        ]
    )
    assert answer.status_code == 202
    game.applied()


ALLTIME = [(1, "ada", 7.5), (2, "bo", 4), (3, "cyd", 4)]


def test_a_board_declared_after_its_events_is_filled_from_the_log(game: Game) -> None:
    play(game)
    assert declare(game, POINTS).status_code == 201
    assert lines(read(game)) == ALLTIME
    # What comes afterwards counts on top, once.
    assert game.post(match(game, "cyd", "2024-02-06T00:00:00Z", 10)).status_code == 202
    game.applied()
    until(lambda: lines(read(game))[0] == (1, "cyd", 14), "the next event counts")


def test_a_board_declared_before_its_events_shows_the_same(game: Game) -> None:
    assert declare(game, POINTS).status_code == 201
    play(game)
    assert lines(read(game)) == ALLTIME
    assert game.sql(
        "SELECT player_id, score FROM leaderboards WHERE game_id = %s AND board = 'points'"
        " AND period = 'alltime' ORDER BY score DESC, achieved_at, player_id",
        game.game_id,
    ) == [(player, score) for _, player, score in ALLTIME]


def test_only_the_management_key_declares_a_board(game: Game) -> None:
    for key in ("", "wrong"):
        refused = declare(game, POINTS, key=key)
        assert refused.status_code == 401
        assert refused.json()["code"] == "auth_required"
        assert refused.headers["www-authenticate"] == "Bearer"
    missing = game.http.get(f"/api/v1/leaderboards/{game.game_id}/points")
    assert missing.status_code == 404


def test_declaring_the_same_again_is_harmless_and_another_definition_is_a_conflict(
    game: Game,
) -> None:
    play(game)
    assert declare(game, POINTS).status_code == 201
    before = read(game)
    assert declare(game, POINTS).status_code == 200
    assert declare(game, {**POINTS, "event_types": ["match_ended"]}).status_code == 200
    conflict = declare(game, {**POINTS, "operator": "best"})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "board_conflict")
    assert read(game) == before


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"operator": "median"}, "/operator"),
        ({"score": "points"}, "/score"),
        ({"event_types": []}, "/event_types"),
        ({"periods": ["hourly"]}, "/periods/0"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"name": "default"}, "/name"),
        ({"order": "up"}, "/order"),
        ({"colour": "red"}, "/colour"),
    ],
    ids=lambda change: next(iter(change)) if isinstance(change, dict) else "",
)
def test_a_wrong_definition_is_refused_with_its_place(
    game: Game, change: dict[str, Any], pointer: str
) -> None:
    refused = declare(game, {**POINTS, **change})
    assert refused.status_code == 400
    assert refused.json()["status"] == "error"
    assert refused.json()["pointer"] == pointer


def test_each_period_holds_its_own_events_from_start_to_before_end(game: Game) -> None:
    assert declare(game, POINTS).status_code == 201
    play(game)
    day = read(game, period="daily", at="2024-02-01")
    assert (day["period_start"], day["period_end"]) == (
        "2024-02-01T00:00:00Z",
        "2024-02-02T00:00:00Z",
    )
    assert lines(day) == [(1, "cyd", 3), (2, "bo", 3), (3, "ada", 2.5)]
    week = read(game, period="weekly", at="2024-02-04T23:59:59Z")
    assert (week["period_start"], week["period_end"]) == (
        "2024-01-29T00:00:00Z",
        "2024-02-05T00:00:00Z",
    )
    assert lines(week) == [(1, "ada", 7.5), (2, "bo", 4), (3, "cyd", 3)]
    january = read(game, period="monthly", at="2024-01-01")
    assert lines(january) == [(1, "ada", 5)]
    assert january["period_end"] == "2024-02-01T00:00:00Z"
    alltime = read(game, period="alltime")
    assert (alltime["period_start"], alltime["period_end"]) == (None, None)
    assert (alltime["total"], lines(alltime)) == (3, ALLTIME)
    today = read(game, period="daily")
    assert (today["total"], today["entries"]) == (0, [])


def test_equal_scores_are_numbered_as_asked_and_the_first_to_reach_them_leads(game: Game) -> None:
    assert declare(game, POINTS).status_code == 201
    play(game)
    assert game.post(match(game, "dora", "2024-02-09T00:00:00Z", 1)).status_code == 202
    game.applied()
    ranks = {
        mode: [entry["rank"] for entry in read(game, rank_mode=mode)["entries"]]
        for mode in ("ordinal", "competition", "dense")
    }
    assert ranks == {
        "ordinal": [1, 2, 3, 4],
        "competition": [1, 2, 2, 4],
        "dense": [1, 2, 2, 3],
    }
    entries = read(game)["entries"]
    assert [(e["player_id"], e["achieved_at"]) for e in entries[1:3]] == [
        ("bo", "2024-02-04T23:00:00Z"),
        ("cyd", "2024-02-05T00:00:00Z"),
    ]


def test_a_score_keeps_every_digit(game: Game) -> None:
    assert declare(game, POINTS).status_code == 201
    digits = "12345678901234567890.123456789"
    body = f'{{"event_type":"match_ended","player_id":"ada","game_id":"{game.game_id}",'
    body += f'"timestamp":"2024-02-01T00:00:00Z","data":{{"points":{digits}}}}}'
    assert game.post_bytes(body.encode()).status_code == 202
    game.applied()
    assert lines(read(game, scores="string")) == [(1, "ada", digits)]
    answer = game.http.get(f"/api/v1/leaderboards/{game.game_id}/points")
    assert f'"score":{digits}' in answer.text


def test_best_and_ascending_boards_count_the_single_best_attempt(game: Game) -> None:
    best = {**POINTS, "name": "best", "operator": "best", "periods": ["alltime"]}
    fastest = {**best, "name": "fastest", "order": "asc"}
    assert declare(game, best).status_code == 201
    play(game)
    assert declare(game, fastest).status_code == 201
    assert lines(read(game, "best")) == [(1, "ada", 5), (2, "cyd", 3), (3, "bo", 3)]
    assert lines(read(game, "fastest")) == [(1, "bo", 1), (2, "cyd", 1), (3, "ada", 2.5)]
    for board in ("best", "fastest"):
        refused = game.http.get(
            f"/api/v1/leaderboards/{game.game_id}/{board}", params={"period": "daily"}
        )
        assert refused.status_code == 404


def test_a_board_in_another_zone_has_days_of_that_zone(game: Game) -> None:
    vienna = {**POINTS, "name": "vienna", "timezone": "Europe/Vienna", "periods": ["daily"]}
    assert declare(game, vienna).status_code == 201
    play(game)
    day = read(game, "vienna", period="daily", at="2024-02-01")
    assert day["period_start"] == "2024-01-31T23:00:00Z"
    assert lines(day) == [(1, "ada", 7.5), (2, "cyd", 3), (3, "bo", 3)]


@pytest.mark.parametrize(
    ("board", "asked", "status"),
    [
        ("nothing", {}, 404),
        ("default", {"period": "hourly"}, 400),
        ("default", {"limit": 0}, 400),
        ("default", {"limit": 1001}, 400),
        ("default", {"at": "tomorrow"}, 400),
        ("default", {"rank_mode": "random"}, 400),
        ("default", {}, 200),
    ],
)
def test_a_wrong_question_is_told_apart_from_an_empty_board(
    game: Game, board: str, asked: dict[str, Any], status: int
) -> None:
    answer = game.http.get(f"/api/v1/leaderboards/{game.game_id}/{board}", params=asked)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["pointer"] == "/" + next(iter(asked))


def test_a_players_place_is_read_in_every_way(game: Game) -> None:
    assert declare(game, POINTS).status_code == 201
    play(game)
    address = f"/api/v1/leaderboards/{game.game_id}/points"
    until(lambda: lines(read(game)) == ALLTIME, "the board is applied")

    found = game.http.get(f"{address}/players/cyd", params={"around": 1}).json()
    assert (found["entry"]["rank"], found["total"], found["percentile"]) == (3, 3, 66.6666)
    assert lines(found) == ALLTIME

    asked = {"rank_mode": "competition"}
    body = {"player_ids": ["cyd", "nobody", "ada"]}
    looked = game.http.post(f"{address}/lookup", params=asked, json=body).json()
    assert lines(looked) == [(1, "ada", 7.5), (2, "cyd", 4)]
    assert looked["not_found"] == ["nobody"]

    first = read(game, limit=2)
    second = read(game, limit=2, cursor=first["next"])
    assert [*lines(first), *lines(second)] == ALLTIME
    assert (first["prev"], second["next"]) == (None, None)
    assert lines(read(game, limit=2, cursor=second["prev"])) == ALLTIME[:2]
    broken = game.http.get(address, params={"cursor": first["next"][:-1]})
    assert (broken.status_code, broken.json()["code"]) == (400, "cursor_invalid")
