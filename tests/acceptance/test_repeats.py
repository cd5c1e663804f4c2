"""Events that are sent again change nothing."""

import random

from tests.acceptance.games import Game, ndjson
from tests.acceptance.streams import expected, lichess, stream

SLICE = 2_000


def test_the_same_real_events_sent_again_change_no_total(game: Game) -> None:
    events = lichess(game.game_id, SLICE)
    game.send(events)
    first = game.applied()
    assert first == expected(events)
    game.send(events)
    assert game.applied() == first


def test_repeats_in_another_order_and_inside_one_batch_change_no_total(game: Game) -> None:
    events = stream(game.game_id, 600)
    shuffled = [*events, *events[:300]]
    random.Random(3).shuffle(shuffled)
    game.send(shuffled)
    game.send(list(reversed(events)))
    assert game.applied() == expected(events)


def test_an_id_in_capitals_is_the_same_id(game: Game) -> None:
    (event,) = stream(game.game_id, 1)
    capitals = {**event, "event_id": event["event_id"].upper()}
    for form in (event, capitals):
        answer = game.post(form)
        assert answer.status_code == 202
        assert answer.json() == {"status": "success", "event_id": event["event_id"]}
    assert game.post_bytes(ndjson([event, capitals]), Content_Type="application/x-ndjson")
    assert game.applied() == expected([event])


def test_a_statistic_read_over_http_is_the_same_after_a_repeat(game: Game) -> None:
    events = stream(game.game_id, 200)
    game.send(events)
    totals = game.applied()
    address, asked = "/api/v1/players/ada/stats", {"game_id": game.game_id}
    first = game.http.get(address, params=asked).json()
    assert first["total_events"] == totals.statistics["ada"][0]
    assert first["events"] == totals.statistics["ada"][1]
    game.send(events)
    game.applied()
    assert game.http.get(address, params=asked).json() == first
