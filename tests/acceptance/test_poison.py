"""Messages that reach the topic without passing the API."""

import json
import os
import uuid

import httpx
from confluent_kafka import Producer

from tests.acceptance.games import Game
from tests.acceptance.streams import Event, expected
from tests.services import Stack

RANDOM_BYTES = bytes(range(256)) + os.urandom(64)


def put_on_topic(stack: Stack, *messages: bytes, key: bytes = b"ada") -> list[int]:
    """Put messages on one partition as somebody's own producer would; their offsets."""
    offsets: list[int | None] = []
    producer = Producer({"bootstrap.servers": stack.env["KAFKA_BOOTSTRAP_SERVERS"]})
    for message in messages:
        producer.produce(
            stack.env["KAFKA_TOPIC"],
            message,
            key=key,
            partition=0,
            headers=[("sender", b"\xff\x00")],
            on_delivery=lambda error, m: offsets.append(m.offset()) if error is None else None,
        )
    assert producer.flush(60) == 0
    found = [offset for offset in offsets if offset is not None]
    assert len(found) == len(messages)
    return found


def dead_letters_at(game: Game, offset: int) -> list[tuple[object, ...]]:
    rows = game.sql(
        "SELECT id, consumer_service, cause, error_message, raw, key, headers, original_event"
        ' FROM dlq_events WHERE partition = 0 AND "offset" = %s',
        offset,
    )
    return [(*row[:4], bytes(row[4]), bytes(row[5]), *row[6:]) for row in rows]


def test_random_bytes_become_one_dead_letter_and_the_events_behind_them_flow(
    game: Game, operator: httpx.Client
) -> None:
    behind = game.event(event_id=str(uuid.uuid4()))
    offset, _ = put_on_topic(game.stack, RANDOM_BYTES, json.dumps(behind).encode())
    assert game.applied() == expected([behind])
    ((letter_id, service, cause, message, raw, key, headers, readable),) = dead_letters_at(
        game, offset
    )
    assert (service, cause) == ("bridge", "invalid_json")
    assert message
    assert raw == RANDOM_BYTES
    assert key == b"ada"
    assert headers == [["sender", "/wA="]]
    assert isinstance(readable, str)

    listed = operator.get("/admin/deadletters/deadletter/")
    assert listed.status_code == 200
    detail = f"/admin/deadletters/deadletter/{letter_id}/change/"
    assert detail in listed.text
    shown = operator.get(detail)
    assert shown.status_code == 200
    assert "invalid_json" in shown.text
    assert "bridge" in shown.text


def test_the_admin_shows_nothing_to_a_stranger(stack: Stack) -> None:
    answer = httpx.get(f"{stack.url}/admin/deadletters/deadletter/", trust_env=False)
    assert answer.status_code == 302
    assert "/admin/login/" in answer.headers["location"]


def test_an_event_without_an_id_takes_effect_once_under_the_id_of_its_place(game: Game) -> None:
    event: Event = game.event()
    put_on_topic(game.stack, json.dumps(event).encode())
    totals = game.applied()
    ((event_id,),) = game.sql("SELECT event_id::text FROM events WHERE game_id = %s", game.game_id)
    assert uuid.UUID(event_id).version == 5
    assert totals == expected([{**event, "event_id": event_id}])


def test_a_score_that_is_no_number_is_dead_at_the_boards_alone(game: Game) -> None:
    good, bad = game.event("bo"), game.event("ada", data={"score": "ten"})
    answer = game.post([bad, good])
    assert answer.status_code == 202
    ids = [result["event_id"] for result in answer.json()["results"]]
    totals = game.applied()
    everything = expected([{**bad, "event_id": ids[0], "data": {}}, {**good, "event_id": ids[1]}])
    everything.dead_letters = 1
    assert totals == everything
    letters = game.sql(
        "SELECT consumer_service, cause, event_id::text, player_id FROM dlq_events"
        " WHERE game_id = %s",
        game.game_id,
    )
    assert letters == [("leaderboards", "score_invalid", ids[0], "ada")]
