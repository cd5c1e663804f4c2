"""From a request's bytes to the raw text of each event."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

from apps.contract.envelope import malformed
from apps.web.errors import RequestRefused

MAX_BODY_BYTES: Final = 1024 * 1024  # as received
MAX_INFLATED_BYTES: Final = 8 * 1024 * 1024  # after gzip
MAX_BATCH_EVENTS: Final = 1_000
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS

RawEvent = bytes | msgspec.Raw


class _Batch(msgspec.Struct):
    events: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_top = msgspec.json.Decoder(_Batch)
_list = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """The events of a request, not validated yet; `single` where it was one bare event."""

    events: list[RawEvent]
    single: bool


@lru_cache(maxsize=64)  # a refusal is not kept
def media_type(content_type: str) -> str:
    """The body's media type. Raises RequestRefused (415)."""
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind not in {JSON, NDJSON}:
        raise RequestRefused(
            415, "media_type", f"Content-Type must be {JSON} or {NDJSON}, is {kind or 'missing'}"
        )
    charsets = [p.removeprefix("charset=").strip('"') for p in parameters if "charset=" in p]
    if any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise RequestRefused(415, "charset", "the charset must be UTF-8")
    return kind


def inflate(body: bytes, encoding: str) -> bytes:
    """The body without its Content-Encoding. Raises RequestRefused (400, 413, 415)."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise RequestRefused(415, "content_encoding", "Content-Encoding must be gzip or absent")
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        text = inflater.decompress(body, MAX_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise RequestRefused(400, "invalid_gzip", f"the body is not gzip: {error}") from error
    if len(text) > MAX_INFLATED_BYTES:
        raise RequestRefused(
            413, "body_too_large", f"the body inflates to over {MAX_INFLATED_BYTES} bytes"
        )
    if not inflater.eof or inflater.unused_data:
        raise RequestRefused(400, "invalid_gzip", "the gzip body is truncated or has a tail")
    return text


def split(text: bytes, kind: str) -> Body:
    """The raw events of a body. Raises RequestRefused (400, 413)."""
    if not text.strip():
        raise RequestRefused(400, "empty_body", "the body is empty")
    if kind == NDJSON:
        return _bounded([line for line in text.split(b"\n") if line.strip()])
    try:
        return _split_json(text)
    except msgspec.ValidationError as error:
        raise RequestRefused(
            400, "not_object", "the body must be an event, {'events': [...]} or an array"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = malformed(error, text)
        raise RequestRefused(400, problem.code, problem.message) from error


def _split_json(text: bytes) -> Body:
    if text.lstrip()[:1] == b"[":
        return _bounded(list(_list.decode(text)))
    events = _top.decode(text).events
    if isinstance(events, msgspec.UnsetType):
        return Body(events=[text], single=True)
    try:
        return _bounded(list(_list.decode(events)))
    except msgspec.ValidationError as error:
        raise RequestRefused(400, "type", "events must be an array", pointer="/events") from error


def _bounded(events: list[RawEvent]) -> Body:
    if not events:
        raise RequestRefused(400, "empty_batch", "the batch has no events")
    if len(events) > MAX_BATCH_EVENTS:
        raise RequestRefused(
            413, "batch_too_large", f"a batch has at most {MAX_BATCH_EVENTS} events"
        )
    return Body(events=events, single=False)
