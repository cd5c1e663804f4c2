"""Every form of a batch, and what its receipts say."""

import gzip
import json
import uuid
from typing import Any

import pytest

from tests.acceptance.games import Game, ndjson
from tests.acceptance.streams import Event, expected, stream

NDJSON = "application/x-ndjson"


def forms(events: list[Event]) -> dict[str, tuple[bytes, dict[str, str]]]:
    """The same events in every form that the API takes."""
    array = json.dumps(events).encode()
    return {
        "array": (array, {}),
        "object": (b'{"events": ' + array + b"}", {}),
        "ndjson": (ndjson(events), {"Content_Type": NDJSON}),
        "gzip": (gzip.compress(array), {"Content_Encoding": "gzip"}),
        "gzipped-ndjson": (
            gzip.compress(ndjson(events) + b"\n"),
            {"Content_Type": NDJSON, "Content_Encoding": "gzip"},
        ),
    }


@pytest.mark.parametrize("form", ["array", "object", "ndjson", "gzip", "gzipped-ndjson"])
def test_a_batch_is_accepted_with_a_receipt_for_each_event(game: Game, form: str) -> None:
    events = stream(game.game_id, 12)
    content, headers = forms(events)[form]
    answer = game.post_bytes(content, **headers)
    assert answer.status_code == 202
    assert answer.json() == {
        "status": "success",
        "accepted": 12,
        "rejected": 0,
        "results": [
            {"index": index, "status": "accepted", "event_id": event["event_id"]}
            for index, event in enumerate(events)
        ],
    }
    assert game.applied() == expected(events)


def test_a_batch_of_a_thousand_is_accepted_and_one_more_is_refused_whole(game: Game) -> None:
    events = stream(game.game_id, 1_001)
    refused = game.post(events)
    assert (refused.status_code, refused.json()["code"]) == (413, "batch_too_large")
    accepted = game.post(events[:1_000])
    assert (accepted.status_code, accepted.json()["accepted"]) == (202, 1_000)
    assert game.applied() == expected(events[:1_000])


def test_of_a_mixed_batch_the_good_events_count_and_the_bad_ones_are_named(game: Game) -> None:
    good = stream(game.game_id, 3)
    bad: list[Any] = [
        game.event(timestamp="yesterday"),
        {"event_type": "login"},
        game.event(data=[1]),
        game.event(event_id="17"),
        5,
    ]
    answer = game.post([good[0], bad[0], bad[1], good[1], bad[2], bad[3], bad[4], good[2]])
    assert answer.status_code == 207
    body = answer.json()
    assert (body["status"], body["accepted"], body["rejected"]) == ("partial", 3, 5)
    assert [(r["index"], r["status"]) for r in body["results"]] == [
        (index, "accepted" if index in {0, 3, 7} else "rejected") for index in range(8)
    ]
    assert [(r["index"], r["code"], r["pointer"]) for r in body["results"] if "code" in r] == [
        (1, "rfc3339", "/timestamp"),
        (2, "required", "/player_id"),
        (4, "type", "/data"),
        (5, "event_id", "/event_id"),
        (6, "not_object", ""),
    ]
    assert all(r["message"] for r in body["results"] if "code" in r)
    totals = game.applied()
    assert totals == expected(good)
    assert totals.dead_letters == 0


def test_a_batch_without_a_good_event_is_refused_with_every_reason(game: Game) -> None:
    answer = game.post([game.event(player_id=""), game.event(timestamp="9999-01-01T00:00:00Z")])
    assert answer.status_code == 400
    body = answer.json()
    assert (body["status"], body["accepted"], body["rejected"]) == ("error", 0, 2)
    assert [(r["code"], r["pointer"]) for r in body["results"]] == [
        ("length", "/player_id"),
        ("future", "/timestamp"),
    ]


def test_the_server_names_an_event_without_an_id_by_the_time(game: Game) -> None:
    answer = game.post(game.event())
    assert answer.status_code == 202
    event_id = answer.json()["event_id"]
    assert uuid.UUID(event_id).version == 7
    assert game.applied() == expected([{**game.event(), "event_id": event_id}])
