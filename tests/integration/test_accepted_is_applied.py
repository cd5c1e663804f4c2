"""What the API accepts, no consumer fails on, but with one of the listed causes."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
import pytest
import redis
from confluent_kafka import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.contract.chunk import Record, from_message, to_message
from apps.contract.envelope import Event, EventInvalid, decode_event, encode
from apps.contract.reading import read
from apps.deadletters.models import DeadLetter
from apps.leaderboards.models import Board
from apps.ledger.services import apply_chunk
from tests.builders import NOW, TOPIC, TOPIC_ID, chunk, event_id
from tests.integration.odd_events import TYPES, bodies
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db

# Only the boards judge `data`, and only by these rules.
CAUSES = {"leaderboards": {"score_invalid", "score_range"}}
LATER = NOW + timedelta(days=3)
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    # Examples share one transaction and Redis: each has offsets and ids of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
offsets = count(1)


@pytest.fixture
def exotic_boards() -> None:
    """Boards whose periods begin where the zones are farthest from UTC."""
    for name, zone, operator in (
        *(("kiritimati", "Pacific/Kiritimati", "sum"), ("niue", "Pacific/Niue", "best")),
        ("n" * 64, "Europe/Vienna", "sum"),
    ):
        Board.objects.create(
            game_id="zones",
            name=name,
            event_types=list(TYPES),
            score="/score",
            operator=operator,
            order="asc",
            periods=["alltime", "daily", "weekly", "monthly"],
            timezone=zone,
        )


def accepted(text: bytes) -> Event | None:
    try:
        return decode_event(
            text, now=NOW, absent_id=event_id(next(offsets) + 2**40), ingested_at=NOW
        )
    except EventInvalid:
        return None


def from_the_topic(event: Event, offset: int) -> Record:
    """The event as the bridge reads it from Kafka, days later, and sends it over the queue."""
    message = Message(
        topic=TOPIC, partition=0, offset=offset, key=b"ada", value=encode(event), headers=[],
        timestamp=(1, int(NOW.timestamp() * 1000)),
    )  # fmt: skip
    record = read(message, TOPIC_ID, LATER)
    assert isinstance(record, Record), record
    assert record.event() == event
    return record


def consumed(records: list[Record]) -> None:
    """Every consumer applies every event, or dead-letters it for a listed cause."""
    (carried,) = from_message(
        msgspec.json.decode(msgspec.json.encode(to_message([chunk(records)])))
    )
    for name, consumer in CONSUMERS.items():
        before = set(DeadLetter.objects.values_list("id", flat=True))
        outcome = apply_chunk(consumer, carried)
        causes = set(DeadLetter.objects.exclude(id__in=before).values_list("cause", flat=True))
        assert causes <= CAUSES.get(name.value, set())
        assert outcome.applied + outcome.duplicates + outcome.dead == len(records)


@fuzz
@given(st.lists(bodies(), min_size=1, max_size=4))
def test_what_the_api_accepts_every_consumer_applies(
    exotic_boards: None, cache: redis.Redis, texts: list[bytes]
) -> None:
    events = [event for text in texts if (event := accepted(text)) is not None]
    records = [from_the_topic(event, next(offsets)) for event in events]
    if records:
        consumed(records)


def an_event(**changes: Any) -> bytes:
    fields = {
        "event_type": "player_score",
        "player_id": "ada",
        "game_id": "chess",
        "timestamp": "2024-01-15T10:00:00Z",
        "data": {"score": 1},
    }
    return msgspec.json.encode({**fields, **changes})


def test_the_longest_names_fit_into_every_index(cache: redis.Redis) -> None:
    # As incompressible as UTF-8 gets: PostgreSQL packs what repeats before it measures a row.
    player = "".join(chr(0x10000 + 7919 * number % 0xFFFFF) for number in range(256))
    game = "".join(chr(0x10000 + 104_729 * number % 0xFFFFF) for number in range(128))
    assert (len(player.encode()), len(game.encode())) == (1024, 512)
    Board.objects.create(
        game_id=game,
        name="n" * 64,
        event_types=["player_score"],
        score="/score",
        operator="sum",
        order="desc",
        periods=["alltime", "daily", "weekly", "monthly"],
        timezone="UTC",
    )
    longest = Decimal("9" * 30 + "." + "9" * 30)
    events = [
        accepted(
            an_event(player_id=player, game_id=game, session_id="s" * 128).replace(
                b'"score":1', f'"score":{longest}'.encode()
            )
        )
        for _ in range(3)
    ]
    records = [from_the_topic(event, next(offsets)) for event in events if event is not None]
    assert len(records) == 3
    consumed(records)
    assert not DeadLetter.objects.exists()
