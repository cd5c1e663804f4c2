"""Servers that are away, or do not answer, in the middle of a stream."""

import time
import uuid

import httpx
import pytest
import redis

from tests.acceptance.faults import comes_back, kill, stopped
from tests.acceptance.games import Game
from tests.acceptance.streams import Totals, expected, stream
from tests.acceptance.waiting import until

EVENTS = 2_000
# The API waits 9 s for Kafka's confirmation; the rest is for a crowded machine.
ANSWER_SECONDS = 14


def unready_checks(game: Game) -> dict[str, str]:
    """What /health/ready says is wrong; empty while it is 200."""
    answer = game.http.get("/health/ready")
    if answer.status_code == 200:
        return {}
    assert answer.status_code == 503
    assert answer.json()["status"] == "unready"
    return {name: told for name, told in answer.json()["checks"].items() if told != "ok"}


@pytest.mark.parametrize(
    ("name", "checks"),
    [("redis", {"redis", "broker"}), ("postgres", {"postgres"}), ("kafka", {"kafka"})],
)
def test_readiness_names_the_server_that_does_not_answer_and_liveness_stays(
    game: Game, name: str, checks: set[str]
) -> None:
    assert unready_checks(game) == {}
    # PostgreSQL's postmaster takes no new connection while stopped; its children go on.
    with stopped(game.stack, name):
        until(lambda: set(unready_checks(game)) == checks, f"only {checks} are unready")
        assert game.http.get("/health/live").status_code == 200
    until(lambda: unready_checks(game) == {}, "all is ready again")


def test_without_kafka_an_event_is_refused_in_time_and_counts_once_when_sent_again(
    game: Game,
) -> None:
    event = game.event(event_id=str(uuid.uuid4()))
    assert game.post(game.event("bo", event_id=(other := str(uuid.uuid4())))).status_code == 202
    with stopped(game.stack, "kafka"):
        began = time.monotonic()
        refused = game.post(event)
        took = time.monotonic() - began
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    body = refused.json()
    assert (body["code"], body["event_id"]) == ("kafka_unavailable", event["event_id"])
    assert took < ANSWER_SECONDS
    game.send([event])
    assert game.applied() == expected([event, game.event("bo", event_id=other)])


def test_a_batch_without_kafka_names_the_ids_to_send_again(game: Game) -> None:
    events = [game.event(), game.event("bo"), {"event_type": "broken"}]
    with stopped(game.stack, "kafka"):
        refused = game.post(events)
    assert refused.status_code == 503
    results = refused.json()["results"]
    assert [result["status"] for result in results] == ["unconfirmed", "unconfirmed", "rejected"]
    again = [
        {**event, "event_id": result["event_id"]}
        for event, result in zip(events[:2], results[:2], strict=True)
    ]
    game.send(again)
    assert game.applied() == expected(again)


def test_a_killed_postgres_comes_back_and_no_total_is_wrong(game: Game) -> None:
    events = stream(game.game_id, EVENTS)
    ((letters,),) = game.sql("SELECT count(*) FROM dlq_events")
    killed: list[int] = []
    game.send(events, halfway=lambda: killed.append(kill(game.stack, "postgres")))
    assert game.applied() == expected(events)
    comes_back(game.stack, "postgres", killed[0])
    assert game.sql("SELECT count(*) FROM dlq_events") == [(letters,)]


def test_a_killed_redis_comes_back_and_no_total_is_wrong(game: Game) -> None:
    events = stream(game.game_id, EVENTS)
    killed: list[int] = []
    game.send(events, halfway=lambda: killed.append(kill(game.stack, "redis")))
    totals = game.applied()
    assert totals == expected(events)
    comes_back(game.stack, "redis", killed[0])
    assert_read_over_http(game, totals)


def test_a_killed_kafka_comes_back_and_no_total_is_wrong(game: Game) -> None:
    events = stream(game.game_id, EVENTS)
    killed: list[int] = []
    game.send(events, halfway=lambda: killed.append(kill(game.stack, "kafka")))
    assert game.applied() == expected(events)
    comes_back(game.stack, "kafka", killed[0])


def test_redis_emptied_in_the_middle_of_a_stream_changes_nothing_that_is_read(game: Game) -> None:
    events = stream(game.game_id, EVENTS)
    game.http.get(f"/api/v1/leaderboards/{game.game_id}/default")
    game.send(events, halfway=lambda: empty_redis(game))
    totals = game.applied()
    assert totals == expected(events)
    assert_read_over_http(game, totals)
    empty_redis(game)
    assert_read_over_http(game, totals)


def empty_redis(game: Game) -> None:
    with redis.Redis.from_url(game.stack.env["REDIS_URL"]) as client:
        assert client.flushall()


def assert_read_over_http(game: Game, totals: Totals) -> None:
    """Board and statistics over HTTP are those of the database."""
    board = game.http.get(
        f"/api/v1/leaderboards/{game.game_id}/default", params={"limit": 1000, "scores": "string"}
    )
    assert board.status_code == 200
    scores = {
        player: score
        for (period, _, player), (score, _) in totals.board.items()
        if period == "alltime"
    }
    ordered = sorted(scores, key=lambda player: -scores[player])
    entries = board.json()["entries"]
    assert [entry["player_id"] for entry in entries] == ordered
    assert [entry["score"] for entry in entries] == [plain(scores[p]) for p in ordered]
    for player, (total, breakdown, _, _) in totals.statistics.items():
        found = statistics(game, player)
        assert (found["total_events"], found["events"]) == (total, breakdown)


def statistics(game: Game, player: str) -> dict[str, object]:
    answer: httpx.Response = game.http.get(
        f"/api/v1/players/{player}/stats", params={"game_id": game.game_id}
    )
    assert answer.status_code == 200
    return dict(answer.json())


def plain(score: object) -> str:
    return f"{score:f}".rstrip("0").rstrip(".")
