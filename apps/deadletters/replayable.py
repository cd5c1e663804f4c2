"""The event that a dead letter's replay applies, and what an edit of it must keep to."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from apps.contract.causes import UNREPLAYABLE
from apps.contract.envelope import (
    ENVELOPE_BYTES,
    MAX_EVENT_BYTES,
    Event,
    EventInvalid,
    canonical_id,
    coordinates_id,
    decode_event,
)
from apps.contract.queues import BRIDGE
from apps.deadletters.models import DeadLetter

_MAX_BYTES: Final = MAX_EVENT_BYTES + ENVELOPE_BYTES


def event_of(letter: DeadLetter) -> Event:
    """What a replay applies: the edited event, or else the message as it came.

    It has the letter's event id. Raises EventInvalid.
    """
    edited = letter.edited
    return edited_event(letter, bytes(letter.raw if edited is None else edited))


def edited_event(letter: DeadLetter, raw: bytes) -> Event:
    """The event of these bytes in the letter's place, by the rules of the API.

    Times are judged at the event's acceptance, which no edit moves; where the message did not
    pass the API, that is when it became a dead letter. Raises EventInvalid.
    """
    if letter.cause in UNREPLAYABLE:
        raise EventInvalid(letter.cause, "", "nobody has read this message: there is no event")
    own = event_id(letter)
    event = decode_event(
        raw,
        now=letter.created_at,
        absent_id=own,
        ingested_at=_accepted(letter),
        max_bytes=_MAX_BYTES,
    )
    if event.event_id != own:
        raise EventInvalid("event_id", "/event_id", f"an edit keeps the event_id, {own}")
    return event


def event_id(letter: DeadLetter) -> str:
    """The letter's event id: its own, the one that a refused message bears, or its place's."""
    if letter.event_id is not None:
        return str(letter.event_id)
    try:
        return canonical_id(msgspec.json.decode(bytes(letter.raw), type=_Identified).event_id)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, EventInvalid):
        return coordinates_id(letter.topic_id, letter.partition, letter.offset)


def indented(raw: bytes) -> str:
    """The bytes as an operator reads them: JSON indented, no number re-encoded; or their text."""
    try:
        text = msgspec.json.format(raw, indent=2)
    except (msgspec.MsgspecError, RecursionError):
        text = raw
    return text.decode("utf-8", "replace").replace("\x00", "\ufffd")


class _Identified(msgspec.Struct):
    event_id: str


class _Accepted(msgspec.Struct):
    ingested_at: datetime | None = None


def _accepted(letter: DeadLetter) -> datetime | None:
    """The server's own time; nobody vouches for the one in a refused message."""
    if letter.consumer_service == BRIDGE:
        return None
    try:
        return msgspec.json.decode(bytes(letter.raw), type=_Accepted).ingested_at
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
