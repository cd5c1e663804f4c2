"""The event envelope: one parser and one validator for the API and the bridge."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec

from apps.contract.limits import MAX_DEPTH, LimitBroken, check

MAX_EVENT_BYTES: Final = 64 * 1024
# What the server adds to an event of the greatest size, so that the bridge takes what the API took.
ENVELOPE_BYTES: Final = 1024
# Of UTF-8. An entry's row in PostgreSQL's indexes (2,704 bytes at most) has the player beside
# the game and the board.
MAX_PLAYER_BYTES: Final = 1024
MAX_AHEAD: Final = timedelta(hours=24)
# Unix time zero. Nothing a game server recorded is older, and every zone's year 1 overflows.
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

_UUID = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
)
_NAME_PART = r"[A-Za-z0-9_.\- ]{1,64}"
EVENT_TYPE: Final = rf"{_NAME_PART}(:{_NAME_PART}){{0,4}}"
_EVENT_TYPE = re.compile(EVENT_TYPE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_AT = re.compile(r" - at `\$(.*?)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


class EventInvalid(Exception):
    """The event breaks a rule of the envelope."""

    def __init__(self, code: str, pointer: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.pointer = pointer
        self.message = message


# No garbage collection: an event holds strings, and no cycle can pass through it.
class Event(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """A valid event, as it stands in Kafka.

    `data` is the sender's own JSON text: nothing between the POST and PostgreSQL re-encodes a
    number, so a score keeps every digit.
    """

    event_id: str
    event_type: str
    player_id: str
    game_id: str
    timestamp: datetime
    ingested_at: datetime
    data: msgspec.Raw
    event_version: str | None = None
    session_id: str | None = None
    sent_at: datetime | None = None


class _Received(msgspec.Struct, kw_only=True, gc=False):
    event_type: str
    player_id: str
    game_id: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    data: msgspec.Raw = msgspec.Raw(b"{}")
    event_id: str | None = None
    event_version: str | None = None
    session_id: str | None = None
    sent_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    ingested_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


_received = msgspec.json.Decoder(_Received)
_any = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


def encode(event: Event) -> bytes:
    """The event's bytes in Kafka; `decode_event` of them gives an equal event."""
    return _encoder.encode(event)


def decode_event(
    raw: bytes | msgspec.Raw,
    *,
    now: datetime,
    absent_id: str | Callable[[], str],
    ingested_at: datetime | None = None,
    max_bytes: int = MAX_EVENT_BYTES,
) -> Event:
    """Parse and validate one event.

    `absent_id` names the event where the sender gave no `event_id`; a function is called only
    then. `ingested_at` is the server's own time and overrides the sender's; None (the bridge) keeps
    what the API wrote, or takes `now` where the message did not pass the API. Raises EventInvalid.
    """
    if len(raw if isinstance(raw, bytes) else memoryview(raw)) > max_bytes:
        raise EventInvalid("event_too_large", "", f"the event is over {max_bytes} bytes")
    received = _parse(raw)
    _check_names(received.event_type, received.game_id, received.event_version)
    _check_player(received.player_id)
    if received.session_id is not None:
        _check_id("session_id", received.session_id, 128)
    _check_data(received.data)
    # First, because the others are judged against it and a forged one may be as far as time goes.
    arrived = ingested_at or received.ingested_at or now
    accepted = _instant("ingested_at", arrived, now + MAX_AHEAD)
    latest = accepted + MAX_AHEAD
    return Event(
        event_id=_identify(received.event_id, absent_id),
        event_type=received.event_type,
        player_id=received.player_id,
        game_id=received.game_id,
        # Judged against the time of acceptance, so that the bridge, later, never disagrees.
        timestamp=_instant("timestamp", received.timestamp, latest),
        ingested_at=accepted,
        data=received.data,
        event_version=received.event_version,
        session_id=received.session_id,
        sent_at=received.sent_at and _instant("sent_at", received.sent_at, latest),
    )


def _identify(given: str | None, absent: str | Callable[[], str]) -> str:
    if given is not None:
        return canonical_id(given)
    return absent if isinstance(absent, str) else absent()


def canonical_id(text: str) -> str:
    """Lower-case form of a hyphenated RFC 9562 UUID (versions 1-8). Raises EventInvalid."""
    if not _UUID.fullmatch(text):
        raise EventInvalid(
            "event_id", "/event_id", "event_id must be a hyphenated UUID of version 1 to 8"
        )
    return text.lower()


def coordinates_id(topic_id: uuid.UUID, partition: int, offset: int) -> str:
    """The id of a message that bears none: UUIDv5, so that a redelivery is recognised."""
    return str(uuid.uuid5(topic_id, f"{partition}:{offset}"))


def _parse(raw: bytes | msgspec.Raw) -> _Received:
    try:
        return _received.decode(raw)
    except msgspec.ValidationError as error:
        raise _validation(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(error, raw) from error


def malformed(error: Exception, raw: bytes | msgspec.Raw) -> EventInvalid:
    """What is wrong with bytes that are not JSON."""
    if isinstance(error, UnicodeDecodeError):
        return EventInvalid("invalid_utf8", "", f"the text is not UTF-8: {error.reason}")
    if isinstance(error, RecursionError):
        return EventInvalid("too_deep", "", f"the JSON is nested deeper than {MAX_DEPTH}")
    if _SURROGATE.search(bytes(raw)):
        return EventInvalid("invalid_unicode", "", "a string has half of a surrogate pair")
    return EventInvalid("invalid_json", "", str(error))


def _validation(text: str, prefix: str = "") -> EventInvalid:
    found = _AT.search(text)
    message = text[: found.start()] if found else text
    path = "".join("/" + (a or b) for a, b in _STEP.findall(found.group(1))) if found else ""
    path = path.partition("/...")[0]  # the parser does not say which key or element
    missing = re.search(r"missing required field `(.*?)`", message)
    if missing:
        field = missing.group(1)
        return EventInvalid("required", f"{prefix}{path}/{field}", f"{field} is required")
    if "out of range" in message:
        return EventInvalid("number_range", prefix + path, f"{message}{_where(prefix + path)}")
    if "`object`, got" in message and not path and not prefix:
        return EventInvalid("not_object", "", "an event must be a JSON object")
    if path in {"/timestamp", "/sent_at", "/ingested_at"} and "got" not in message:
        rule = f"{path[1:]} must be RFC 3339 with an offset, as 2024-01-15T10:00:00Z"
        return EventInvalid("rfc3339", path, rule)
    return EventInvalid("type", prefix + path, f"{message}{_where(prefix + path)}")


def _where(pointer: str) -> str:
    return f" at {pointer}" if pointer else ""


# Few of them make nearly all events; what is refused is not kept. At most some hundred KB.
@lru_cache(maxsize=1_024)
def _check_names(event_type: str, game_id: str, event_version: str | None) -> None:
    if not _EVENT_TYPE.fullmatch(event_type) or not event_type.strip():
        parts = "1 to 5 parts joined by ':', each 1 to 64 of A-Z a-z 0-9 _ . - space"
        raise EventInvalid("event_type", "/event_type", f"event_type must be {parts}")
    _check_id("game_id", game_id, 128)
    if event_version is not None:
        _check_id("event_version", event_version, 32)


def _check_id(field: str, value: str, longest: int) -> None:
    # A cheap rule first, for what nearly every id is: no control character is printable.
    if 0 < len(value) <= longest and value.isprintable() and not value.isspace():
        return
    if not value.strip() or len(value) > longest:
        raise EventInvalid(
            "length", f"/{field}", f"{field} must have 1 to {longest} characters, not only spaces"
        )
    if _CONTROL.search(value):
        code = "nul_char" if "\x00" in value else "control_char"
        raise EventInvalid(code, f"/{field}", f"{field} must not have control characters")


def _check_player(value: str) -> None:
    # Cheap, and nearly all of them: what is printable has no control characters, and a character
    # has at most four bytes.
    if value.isprintable() and len(value) <= MAX_PLAYER_BYTES // 4 and value.strip():
        return
    _check_id("player_id", value, 512)
    if len(value.encode()) > MAX_PLAYER_BYTES:
        rule = f"player_id must have at most {MAX_PLAYER_BYTES} bytes of UTF-8"
        raise EventInvalid("length", "/player_id", rule)


def _instant(field: str, value: datetime, latest: datetime) -> datetime:
    if value < EARLIEST:
        raise EventInvalid("too_old", f"/{field}", f"{field} must not be before 1970-01-01")
    if value > latest:
        raise EventInvalid("future", f"/{field}", f"{field} is more than 24 h in the future")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _check_data(raw: msgspec.Raw) -> None:
    try:
        data: Any = _any.decode(raw)
    except msgspec.ValidationError as error:
        raise _validation(str(error), "/data") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = malformed(error, raw)
        raise EventInvalid(problem.code, "/data", problem.message) from error
    if not isinstance(data, dict):
        raise EventInvalid("type", "/data", "data must be an object")
    try:
        check(data, bytes(raw), "/data")
    except LimitBroken as error:
        raise EventInvalid(error.code, error.pointer, str(error)) from error
