"""An event says the same in the API, in Kafka and in the bridge."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.contract.chunk import (
    Chunk,
    decode_records,
    encode_records,
    from_message,
    to_message,
)
from apps.contract.envelope import (
    ENVELOPE_BYTES,
    MAX_AHEAD,
    MAX_EVENT_BYTES,
    Event,
    EventInvalid,
    canonical_id,
    decode_event,
    encode,
)
from apps.ingest.body import JSON, NDJSON, split
from apps.web.errors import RequestRefused
from tests.builders import NOW, chunk, event_id, event_text, parsed, refused

ABSENT = event_id(1)
BRIDGE_BYTES = MAX_EVENT_BYTES + ENVELOPE_BYTES
LATER = NOW + timedelta(days=3)

readable = st.characters(exclude_categories=["Cs", "Cc"])
ids = st.text(readable, min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
names = st.from_regex(r"[A-Za-z0-9_.\-]{1,10}(:[A-Za-z0-9_.\-]{1,10}){0,4}", fullmatch=True)
zones = st.integers(-14 * 60, 14 * 60)
moments = st.datetimes(
    min_value=datetime(1970, 1, 3), max_value=datetime(2026, 11, 20), timezones=st.just(UTC)
)
uuids = st.builds(
    lambda number, version: str(
        uuid.UUID(int=(number & ~(0xF << 76) & ~(0x3 << 62)) | (version << 76) | (0x2 << 62))
    ),
    st.integers(0, 2**128 - 1),
    st.integers(1, 8),
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@st.composite
def timestamps(draw: st.DrawFn) -> str:
    """A moment as some client would write it: any offset, any number of digits."""
    offset = timedelta(minutes=draw(zones))
    local = draw(moments).replace(tzinfo=None) + offset
    sign, minutes = "-" if offset < timedelta(0) else "+", abs(offset) // timedelta(minutes=1)
    fraction = draw(st.sampled_from(["", ".5", ".123456", ".123456789"]))
    return f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{sign}{minutes // 60:02d}:{minutes % 60:02d}"


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An acceptable event as its client wrote it, and the bytes of its `data`."""
    data = json.dumps(
        draw(st.dictionaries(texts, values, max_size=4)),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
    )
    fields: dict[str, Any] = {
        "event_type": draw(names),
        "player_id": draw(ids),
        "game_id": draw(ids),
        "timestamp": draw(timestamps()),
        "is_admin": draw(values),
    }
    for name, chosen in (
        *(("event_id", uuids.map(str.upper)), ("event_version", st.just("2"))),
        *(("session_id", ids), ("sent_at", timestamps()), ("ingested_at", timestamps())),
    ):
        if draw(st.booleans()):
            fields[name] = draw(chosen)
    text = json.dumps(fields, ensure_ascii=draw(st.booleans()))
    return f'{text[:-1]}, "data": {data}}}'.encode(), data.encode()


@given(bodies())
def test_what_the_api_accepts_the_bridge_reads_as_the_same_event(
    body: tuple[bytes, bytes],
) -> None:
    text, data = body
    accepted = decode_event(text, now=NOW, absent_id=ABSENT, ingested_at=NOW)
    read = decode_event(encode(accepted), now=LATER, absent_id=event_id(2), max_bytes=BRIDGE_BYTES)
    assert read == accepted
    assert bytes(read.data) == data
    assert read.ingested_at == NOW


@given(bodies())
def test_a_record_travels_to_its_consumer_unchanged(body: tuple[bytes, bytes]) -> None:
    records = [parsed(0, body[0]), parsed(1, body[0])]
    carried = chunk(records, refused=[refused(2, bytes(range(256)))])
    on_the_wire = json.loads(json.dumps({**to_message([carried]), "added_in_a_later_release": 1}))
    (arrived,) = from_message(on_the_wire)
    assert isinstance(arrived, Chunk)
    assert arrived == carried
    assert decode_records(arrived.records) == records
    assert decode_records(encode_records(records)) == records


@given(uuids)
def test_an_id_is_known_by_its_lower_case(text: str) -> None:
    assert canonical_id(text.upper()) == canonical_id(text) == str(uuid.UUID(text))


@given(st.text(max_size=40))
def test_what_is_no_plain_uuid_is_no_id(text: str) -> None:
    try:
        accepted = canonical_id(text)
    except EventInvalid:
        return
    assert str(uuid.UUID(text)) == accepted == text.lower()


@given(st.integers(1, 10**9).map(lambda microseconds: timedelta(microseconds=microseconds)))
def test_a_day_ahead_is_the_most(over: timedelta) -> None:
    latest = NOW + MAX_AHEAD
    at_most = event_text(timestamp=latest.isoformat())
    assert decode_event(at_most, now=NOW, absent_id=ABSENT).timestamp == latest
    with pytest.raises(EventInvalid) as caught:
        decode_event(event_text(timestamp=(latest + over).isoformat()), now=NOW, absent_id=ABSENT)
    assert (caught.value.code, caught.value.pointer) == ("future", "/timestamp")


@given(st.integers(0, 200))
def test_an_event_of_the_greatest_size_passes_the_bridge(spare: int) -> None:
    empty = event_text(data={"text": [""], "pad": ["x" * 16_000] * 4})
    room = MAX_EVENT_BYTES - len(empty) - spare
    text = event_text(data={"text": ["y" * room], "pad": ["x" * 16_000] * 4})
    assert len(text) == MAX_EVENT_BYTES - spare
    accepted = decode_event(text, now=NOW, absent_id=ABSENT, ingested_at=NOW)
    assert (
        decode_event(encode(accepted), now=NOW, absent_id=ABSENT, max_bytes=BRIDGE_BYTES)
        == accepted
    )


def judge(text: bytes, kind: str) -> list[Event | EventInvalid] | RequestRefused:
    """The answer to a body, as the API finds it."""
    try:
        raw_events = split(text, kind).events
    except RequestRefused as error:
        return error
    found: list[Event | EventInvalid] = []
    for raw in raw_events:
        try:
            event = decode_event(raw, now=NOW, absent_id=ABSENT, ingested_at=NOW)
        except EventInvalid as error:
            found.append(error)
            continue
        read = decode_event(encode(event), now=LATER, absent_id=ABSENT, max_bytes=BRIDGE_BYTES)
        assert read == event
        found.append(event)
    return found


kinds = st.sampled_from([JSON, NDJSON])
SNIPPETS = (
    *(
        b'{"',
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"\x00",
        b"1e999",
    ),
    *(b"null", b"true", b"-", b"0", b'"events":', b'"data":', b"{" * 40, b"[" * 40, b"\n", b" "),
    *(b"\xef\xbb\xbf", b"9" * 5000, b'"9999-12-31T23:59:59-12:00"', b'"0001-01-01T00:00:00+14:00"'),
)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """An acceptable body with some bytes flipped, cut out, doubled or spliced in."""
    text = bytearray(draw(bodies())[0])
    if draw(st.booleans()):
        text = bytearray(b'{"events": [' + bytes(text) + b"]}")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(text) - 1)))
        to = min(len(text), at + draw(st.integers(0, 8)))
        match draw(st.integers(0, 3)):
            case 0:
                text[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del text[at:to]
            case 2:
                text[at:at] = text[at:to]
            case _:
                text[at:at] = draw(st.sampled_from(SNIPPETS))
    return bytes(text)


@given(st.binary(max_size=200), kinds)
def test_random_bytes_are_refused_and_never_raise(text: bytes, kind: str) -> None:
    judge(text, kind)


@given(mutations(), kinds)
def test_a_damaged_body_is_judged_and_never_raises(text: bytes, kind: str) -> None:
    judge(text, kind)


@given(values, kinds)
def test_any_json_is_judged_and_never_raises(value: Any, kind: str) -> None:
    judge(msgspec.json.encode(json.loads(json.dumps(value))), kind)
    judge(json.dumps({"events": value}).encode(), kind)
