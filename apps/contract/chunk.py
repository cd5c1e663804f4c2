"""A chunk: what the bridge sends to a consumer's queue in one message."""

from __future__ import annotations

import uuid
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from apps.contract.envelope import Event
from apps.contract.queues import Consumer


class Record(Event, kw_only=True, frozen=True):
    """An event with the offset that it has in its partition."""

    offset: int

    @classmethod
    def of(cls, event: Event, offset: int) -> Record:
        # Spelt out: this runs for every event, and a dictionary between took three times as long.
        return cls(
            offset=offset,
            event_id=event.event_id,
            event_type=event.event_type,
            player_id=event.player_id,
            game_id=event.game_id,
            timestamp=event.timestamp,
            ingested_at=event.ingested_at,
            data=event.data,
            event_version=event.event_version,
            session_id=event.session_id,
            sent_at=event.sent_at,
        )

    def event(self) -> Event:
        """The event alone, as it stands in Kafka."""
        return Event(**{name: getattr(self, name) for name in Event.__struct_fields__})


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


WORTH_PACKING: Final = 2048  # characters


class ChunkInvalid(ValueError):
    """The message on the queue is not a chunk."""


def encode_records(records: Sequence[Record]) -> str:
    return _encoder.encode(records).decode()


def decode_records(text: str) -> list[Record]:
    return _records.decode(text)


def joined(chunks: Iterable[Chunk]) -> str:
    """The records of all chunks, as the JSON text of one array."""
    return f"[{','.join(chunk.records[1:-1] for chunk in chunks if chunk.events)}]"


def to_message(chunks: Sequence[Chunk]) -> dict[str, Any]:
    """Keyword arguments of the task that carries the chunks: JSON-able.

    One chunk's are its fields; those of several are under `chunks`.
    """
    if len(chunks) == 1:
        return _fields(chunks[0])
    return {"chunks": [_fields(chunk) for chunk in chunks]}


def _fields(chunk: Chunk) -> dict[str, Any]:
    """Longer records travel compressed, under `packed`: at every stage up to the task, text within
    text costs a copy with every quote escaped, and the broker has to hold it.
    """
    message: dict[str, Any] = msgspec.to_builtins(chunk)
    if len(chunk.records) >= WORTH_PACKING:
        del message["records"]
        message["packed"] = packed(chunk.records)
    return message


def from_message(arguments: Mapping[str, Any]) -> list[Chunk]:
    """The chunks of a task's keyword arguments; unknown ones are ignored (rolling upgrades).

    Raises ChunkInvalid.
    """
    several = arguments.get("chunks")
    if several is None:
        return [_chunk(arguments)]
    if not isinstance(several, list) or not several:
        raise ChunkInvalid("chunks must be an array of at least one")
    return [_chunk(fields) for fields in several]


def _chunk(arguments: Any) -> Chunk:
    try:
        fields = dict(arguments)
        if "packed" in fields:
            fields["records"] = unpacked(fields.pop("packed"))
        return msgspec.convert(fields, Chunk)
    except (msgspec.ValidationError, TypeError, ValueError, zlib.error) as error:
        raise ChunkInvalid(str(error)) from error


# The three consumers are sent the same records, each those of several chunks.
@lru_cache(maxsize=16)
def packed(records: str) -> str:
    """Deflated, in base64. Level 1 is as fast as what it spares, and players' events shrink to
    a fifth and less."""
    return b64encode(zlib.compress(records.encode(), 1)).decode()


def unpacked(text: str) -> str:
    """What `packed` was given. Raises ValueError, zlib.error."""
    return zlib.decompress(b64decode(text, validate=True)).decode()


def epoch(moment: datetime) -> float:
    """Seconds since 1970, the unit of `accepted_at`."""
    return moment.timestamp()
