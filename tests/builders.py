"""The values that tests are made of: ada, bo and cyd play chess on a Friday in November 2026."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from confluent_kafka import Message

from apps.contract.chunk import Chunk, Record, Refused, encode_records
from apps.contract.envelope import decode_event
from apps.leaderboards.bounds import bounds_of
from apps.leaderboards.filters import where_of
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Definition, Operator, Order, Scoring

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOPIC = "player.events.raw"
TOPIC_ID = uuid.UUID("6f1c9d3e-0b6a-4c55-8d53-6d3d9f3c2b11")
OTHER_TOPIC_ID = uuid.UUID("0d9a4f0e-52c1-4b0f-9d62-2f6d8a0a7c22")
CAST = ("ada", "bo", "cyd")
GAME = "chess"


def event_id(number: int) -> str:
    """The id of the n-th event."""
    return f"00000000-0000-7000-8000-{number:012x}"


def minutes(number: float) -> datetime:
    """So many minutes into the scene, which began an hour before NOW."""
    return NOW - timedelta(hours=1) + timedelta(minutes=number)


def event_fields(**changes: Any) -> dict[str, Any]:
    """A valid event as the client sends it; None takes a field away."""
    fields = {
        "event_type": "player_score",
        "player_id": "ada",
        "game_id": GAME,
        "timestamp": "2026-11-20T11:00:00Z",
        "data": {"score": 10},
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def event_text(**changes: Any) -> bytes:
    """`event_fields` as JSON."""
    return json.dumps(event_fields(**changes)).encode()


def kafka_message(partition: int, offset: int, value: bytes | None) -> Message:
    """A message as the client hands it out."""
    return Message(
        topic=TOPIC,
        partition=partition,
        offset=offset,
        key=b"ada",
        value=value,
        headers=[],
        timestamp=(1, int(NOW.timestamp() * 1000)),
    )


def record(
    offset: int,
    *,
    number: int | None = None,
    player_id: str = "ada",
    game_id: str = GAME,
    event_type: str = "player_score",
    at: datetime | None = None,
    data: str = '{"score": 10}',
) -> Record:
    """The event at an offset; its id and time follow from the offset unless they are given."""
    return Record(
        offset=offset,
        event_id=event_id(offset if number is None else number),
        event_type=event_type,
        player_id=player_id,
        game_id=game_id,
        timestamp=minutes(offset % 60) if at is None else at,
        ingested_at=NOW,
        data=msgspec.Raw(data.encode()),
    )


def parsed(offset: int, text: bytes) -> Record:
    """The record that becomes of an event that the API accepted."""
    event = decode_event(text, now=NOW, absent_id=event_id(offset), ingested_at=NOW)
    return Record.of(event, offset)


def refused(offset: int, raw: bytes, *, code: str = "invalid_json") -> Refused:
    """A message that the bridge refused."""
    return Refused(
        offset=offset,
        code=code,
        pointer="",
        message="the message is no event",
        raw=raw,
        key=b"ada",
        headers=[("event_type", b"\xff\x00"), ("empty", None)],
    )


def chunk(
    records: Sequence[Record],
    *,
    first_offset: int | None = None,
    next_offset: int | None = None,
    partition: int = 0,
    topic_id: uuid.UUID = TOPIC_ID,
    refused: Iterable[Refused] = (),
) -> Chunk:
    """A chunk of the records; its range is theirs unless another is given."""
    turned_away = list(refused)
    offsets = [item.offset for item in records] + [item.offset for item in turned_away]
    return Chunk(
        topic=TOPIC,
        topic_id=topic_id,
        partition=partition,
        first_offset=min(offsets) if first_offset is None else first_offset,
        next_offset=max(offsets) + 1 if next_offset is None else next_offset,
        events=len(records),
        records=encode_records(records),
        accepted_at=[item.ingested_at.timestamp() for item in records],
        refused=turned_away,
    )


def points_of_the_cast(count: int, *, first_offset: int = 0) -> list[Record]:
    """`count` scores of ada, bo and cyd in turn, of 0 to 6 points each."""
    return [
        record(offset, player_id=CAST[offset % 3], data=f'{{"score": {offset % 7}}}')
        for offset in range(first_offset, first_offset + count)
    ]


def board(
    name: str = "points",
    *,
    game_id: str = GAME,
    operator: Operator = Operator.SUM,
    order: Order = Order.DESC,
    pointer: str = "/score",
    event_types: tuple[str, ...] = ("player_score",),
    periods: tuple[Period, ...] = (Period.ALLTIME, Period.DAILY, Period.WEEKLY),
    timezone: str = "UTC",
    absent: Decimal | None = None,
    where: dict[str, Any] | None = None,
    season: str = "",
    bounds: dict[str, Any] | None = None,
) -> Definition:
    """A board's definition."""
    return Definition(
        game_id=game_id,
        name=name,
        scoring=dict.fromkeys(event_types, Scoring(pointer=pointer, absent=absent)),
        operator=operator,
        order=order,
        periods=periods,
        timezone=timezone,
        where=where_of(where or {}),
        season=season,
        bounds=bounds_of(bounds or {}),
    )
