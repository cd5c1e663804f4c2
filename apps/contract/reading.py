"""From a Kafka message to a record, or to what becomes a dead letter."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final, Protocol

from apps.contract.chunk import Record, Refused
from apps.contract.envelope import (
    ENVELOPE_BYTES,
    MAX_AHEAD,
    MAX_EVENT_BYTES,
    EventInvalid,
    coordinates_id,
    decode_event,
)

_NO_TIMESTAMP: Final = 0  # Kafka's TIMESTAMP_NOT_AVAILABLE
# 2020. A producer whose clock was never set says 1970, and every event would be in its future.
EARLIEST_RECORD_MS: Final = 1_577_836_800_000

Header = tuple[str, str | bytes | None]


class Received(Protocol):
    """A message as the Kafka client hands it over."""

    def partition(self) -> int | None: ...

    def offset(self) -> int | None: ...

    def key(self) -> bytes | None: ...

    def value(self) -> bytes | None: ...

    def headers(self) -> Iterable[Header] | Mapping[str, str | bytes | None] | None: ...

    def timestamp(self) -> tuple[int, int]:
        """Its kind, and milliseconds since 1970."""


def read(message: Received, topic_id: uuid.UUID, now: datetime) -> Record | Refused:
    """Validate a message as the API does; the same message gives the same answer every time."""
    offset, partition = message.offset(), message.partition()
    if offset is None or partition is None:
        raise ValueError("a consumed message has coordinates")
    value = message.value()
    try:
        if not value:
            raise EventInvalid("empty", "", "the message has no value")
        event = decode_event(
            value,
            now=_arrival(message, now),
            absent_id=partial(coordinates_id, topic_id, partition, offset),
            max_bytes=MAX_EVENT_BYTES + ENVELOPE_BYTES,
        )
    except EventInvalid as error:
        return Refused(
            offset=offset,
            code=error.code,
            pointer=error.pointer,
            message=error.message,
            raw=value or b"",
            key=message.key(),
            headers=_headers(message),
        )
    return Record.of(event, offset)


def _headers(message: Received) -> list[tuple[str, bytes | None]]:
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(name, v.encode() if isinstance(v, str) else v) for name, v in pairs]


def _arrival(message: Received, now: datetime) -> datetime:
    """The record's own timestamp, which a second reading finds again; our clock where it is
    absent or forged."""
    kind, milliseconds = message.timestamp()
    if kind == _NO_TIMESTAMP or milliseconds < EARLIEST_RECORD_MS:
        return now
    if milliseconds > _latest_record_ms(now):
        return now
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@lru_cache(maxsize=1)  # all messages of a poll have the same `now`
def _latest_record_ms(now: datetime) -> float:
    return (now + MAX_AHEAD).timestamp() * 1000
