"""Rows 75 to 82 on the topic: each becomes one dead letter with its bytes, or is applied."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, Message, Producer

from tests.acceptance.corpus.case import Produced, event
from tests.acceptance.corpus.effects import applied
from tests.acceptance.corpus.messages import MESSAGES
from tests.acceptance.corpus.table import Table
from tests.acceptance.games import Game
from tests.acceptance.streams import expected

BEHIND = "corpus-behind-the-messages"
PARTITION = 0


def game_of(case: Produced) -> str:
    return f"t-{MESSAGES.index(case):03d}"


def put(producer: Producer, topic: str, value: bytes | None, case: Produced | None) -> int | str:
    """Put a message on the topic as somebody's own producer would; its offset, or why not."""
    found: list[int | str | None] = []

    def report(error: KafkaError | None, message: Message) -> None:
        found.append(error.name() if error else message.offset())

    producer.produce(
        topic,
        value,
        key=b"ada",
        partition=PARTITION,
        headers=list(case.headers) if case else [],
        timestamp=case.timestamp if case else 0,
        on_delivery=report,
    )
    assert producer.flush(60) == 0
    (place,) = found
    assert place is not None
    return place


@pytest.fixture(scope="module")
def offsets(watcher: Game) -> dict[Produced, int | str]:
    """Where each message lies, or why Kafka refused it; all that it took are dealt with."""
    env = watcher.stack.env
    producer = Producer({"bootstrap.servers": env["KAFKA_BOOTSTRAP_SERVERS"]})
    found = {}
    for case in MESSAGES:
        value = case.value and case.value.replace(b"@game", game_of(case).encode())
        found[case] = put(producer, env["KAFKA_TOPIC"], value, case)
    put(producer, env["KAFKA_TOPIC"], event().replace(b"@game", BEHIND.encode()), None)
    watcher.applied()
    return found


@pytest.mark.parametrize("case", MESSAGES, ids=str)
def test_a_message_of_the_corpus(
    case: Produced, offsets: dict[Produced, int | str], watcher: Game, table: Table
) -> None:
    place = offsets[case]
    if isinstance(place, str):
        table.add(case.row, case.what, case.expect, f"refused by Kafka: {place}")
        return
    letters = watcher.sql(
        "SELECT consumer_service, cause, raw, original_event FROM dlq_events"
        ' WHERE partition = %s AND "offset" = %s',
        PARTITION,
        place,
    )
    dead = [f"dead at {consumer}: {cause}" for consumer, cause, _, _ in letters]
    effects = applied(watcher, game_of(case))
    table.add(case.row, case.what, case.expect, ", ".join([*dead, *([effects] if effects else [])]))
    value = (case.value or b"").replace(b"@game", game_of(case).encode())
    assert [bytes(raw) for _, _, raw, _ in letters] == [value] * len(letters)


def test_what_is_behind_bad_messages_flows(
    offsets: dict[Produced, int | str], watcher: Game
) -> None:
    watcher.game_id = BEHIND
    ((event_id, at),) = watcher.sql(
        "SELECT event_id::text, event_timestamp FROM events WHERE game_id = %s", BEHIND
    )
    sent = {
        "event_id": event_id,
        "event_type": "player_score",
        "player_id": "ada",
        "game_id": BEHIND,
        "timestamp": at.isoformat(),
        "data": {"score": 10},
    }
    assert watcher.totals() == expected([sent])
