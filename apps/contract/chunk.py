"""A chunk: what the bridge sends to a consumer's queue in one message."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from apps.contract.envelope import Event
from apps.contract.queues import Consumer


class Record(Event, kw_only=True, frozen=True):
    """An event with the offset that it has in its partition."""

    offset: int

    @classmethod
    def of(cls, event: Event, offset: int) -> Record:
        return cls(offset=offset, **_fields(event))

    def event(self) -> Event:
        """The event alone, as it stands in Kafka."""
        return Event(**_fields(self))


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in Event.__struct_fields__}


class Refused(msgspec.Struct, kw_only=True, frozen=True):
    """What becomes a dead letter though it is no event: it travels with its raw bytes.

    `consumer` is whom it concerns; None is a message that the bridge refused, which concerns
    nobody in particular and rides with the log's chunk.
    """

    offset: int
    code: str
    pointer: str
    message: str
    raw: bytes
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []
    consumer: Consumer | None = None


class Chunk(msgspec.Struct, kw_only=True, frozen=True):
    """The events of one partition in `[first_offset, next_offset)`.

    The range has no gap to the chunk before it, though offsets inside it may be missing
    (compaction, markers). `records` is the JSON text of an array of Record, which a consumer
    may hand to PostgreSQL undecoded. `sent` is how often the bridge sent this chunk to this
    consumer before.
    """

    topic: str
    topic_id: uuid.UUID
    partition: int
    first_offset: int
    next_offset: int
    events: int
    records: str
    accepted_at: list[float]
    refused: list[Refused] = []
    sent: int = 0


_records = msgspec.json.Decoder(list[Record])
_encoder = msgspec.json.Encoder()


class ChunkInvalid(ValueError):
    """The message on the queue is not a chunk."""


def encode_records(records: Sequence[Record]) -> str:
    return _encoder.encode(records).decode()


def decode_records(text: str) -> list[Record]:
    return _records.decode(text)


def to_message(chunk: Chunk) -> dict[str, Any]:
    """Keyword arguments of the chunk's task: JSON-able."""
    message: dict[str, Any] = msgspec.to_builtins(chunk)
    return message


def from_message(arguments: Mapping[str, Any]) -> Chunk:
    """The chunk of a task's keyword arguments; unknown ones are ignored (rolling upgrades)."""
    try:
        return msgspec.convert(dict(arguments), Chunk)
    except msgspec.ValidationError as error:
        raise ChunkInvalid(str(error)) from error


def epoch(moment: datetime) -> float:
    """Seconds since 1970, the unit of `accepted_at`."""
    return moment.timestamp()
