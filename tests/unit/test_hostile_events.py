"""Bad events, one by one: each is refused by its code, and each near miss is taken."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from apps.contract.envelope import Event, EventInvalid, decode_event, encode
from tests.builders import NOW, event_id, event_text

AHEAD = {hours: (NOW + timedelta(hours=hours)).isoformat() for hours in (1, 25)}


def read(text: bytes) -> Event:
    return decode_event(text, now=NOW, absent_id=event_id(1), ingested_at=NOW)


def refusal(text: bytes) -> tuple[str, str]:
    with pytest.raises(EventInvalid) as caught:
        read(text)
    assert caught.value.message
    return caught.value.code, caught.value.pointer


def with_data(text: str) -> bytes:
    return event_text(data=None)[:-1] + b', "data": ' + text.encode() + b"}"


def nested(depth: int) -> str:
    """`data` so deep that the whole event has this depth."""
    return '{"a":' * (depth - 2) + "1" + "}" * (depth - 2)


@pytest.mark.parametrize("field", ["event_type", "player_id", "game_id", "timestamp"])
def test_a_missing_field_is_named(field: str) -> None:
    assert refusal(event_text(**{field: None})) == ("required", f"/{field}")


@pytest.mark.parametrize("field", ["event_type", "player_id", "game_id", "timestamp"])
@pytest.mark.parametrize("value", [5, True, {}, []])
def test_a_field_of_another_type_is_named(field: str, value: Any) -> None:
    assert refusal(event_text(**{field: value})) == ("type", f"/{field}")


def test_a_null_field_is_no_field() -> None:
    assert refusal(event_text(player_id="x").replace(b'"x"', b"null")) == ("type", "/player_id")
    assert read(event_text(session_id="x").replace(b'"x"', b"null")).session_id is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abc",
        "00000000-0000-0000-0000-000000000000",
        "{" + event_id(3) + "}",
        "urn:uuid:" + event_id(3),
        event_id(3).replace("-", ""),
        event_id(3)[:-1] + chr(0xFF11),
        event_id(3) + "\n",
        event_id(3).replace("-7", "-9"),
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ],
)
def test_what_is_no_hyphenated_uuid_is_no_id(value: str) -> None:
    assert refusal(event_text(event_id=value)) == ("event_id", "/event_id")


def test_an_id_that_is_a_number_is_refused() -> None:
    assert refusal(event_text(event_id=7)) == ("type", "/event_id")


def test_an_absent_id_is_issued_and_a_given_one_canonical() -> None:
    given = "ABCDEF00-0000-4000-8000-00000000000A"
    assert read(event_text()).event_id == event_id(1)
    assert read(event_text(event_id=given)).event_id == given.lower()


@pytest.mark.parametrize(
    "value",
    ["", " ", "x" * 65, "a:b:c:d:e:f", "a::b", "'; DROP TABLE events", "<script>", "\u00e9"],
)
def test_a_type_that_is_no_name_is_refused(value: str) -> None:
    assert refusal(event_text(event_type=value)) == ("event_type", "/event_type")


@pytest.mark.parametrize("value", ["x" * 64, "item:sword.two-handed:buy_1", "level up"])
def test_a_type_of_the_studios_own_is_taken(value: str) -> None:
    assert read(event_text(event_type=value)).event_type == value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "length"),
        ("   ", "length"),
        ("x" * 513, "length"),
        ("\U0001f600" * 257, "length"),
        ("a\x00b", "nul_char"),
        ("a\nb", "control_char"),
        ("a\x7f", "control_char"),
        ("a\x85", "control_char"),
    ],
)
def test_a_player_id_that_cannot_be_shown_is_refused(value: str, code: str) -> None:
    assert refusal(event_text(player_id=value)) == (code, "/player_id")


@pytest.mark.parametrize(
    "value", ["\U0001f600", "\u202eabc", "a\u200db", "\uffff", "e\u0301", "\u00e9", "x" * 512]
)
def test_any_other_text_is_a_player(value: str) -> None:
    assert read(event_text(player_id=value)).player_id == value


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20",
        "2026-11-20T11:00:00",
        "2024-W01-1",
        "2026-02-30T00:00:00Z",
        "2026-11-20T25:00:00Z",
        "2026-11-20T11:00:60Z",
        "2026-11-20T11:00:00+25:00",
        "",
        "0000-01-01T00:00:00Z",
        "yesterday",
        "1700000000",
    ],
)
def test_a_timestamp_that_is_not_rfc_3339_is_refused(value: str) -> None:
    assert refusal(event_text(timestamp=value)) == ("rfc3339", "/timestamp")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (AHEAD[25], "future"),
        ("9999-12-31T23:59:59-12:00", "future"),
        ("1969-12-31T23:59:59Z", "too_old"),
        ("0001-01-01T00:00:00+14:00", "too_old"),
    ],
)
def test_a_time_that_cannot_be_is_refused(value: str, code: str) -> None:
    assert refusal(event_text(timestamp=value)) == (code, "/timestamp")


@pytest.mark.parametrize("value", [AHEAD[1], "2024-01-15T10:00:00Z", "1970-01-01T00:00:00Z"])
def test_an_old_or_slightly_early_event_is_welcome(value: str) -> None:
    assert read(event_text(timestamp=value))


def test_a_time_of_any_offset_is_kept_in_utc() -> None:
    event = read(event_text(timestamp="2026-11-20T08:30:00+14:00"))
    assert event.timestamp.isoformat() == "2026-11-19T18:30:00+00:00"


@pytest.mark.parametrize("data", ["5", "null", "[]", '"x"', "true"])
def test_data_that_is_no_object_is_refused(data: str) -> None:
    assert refusal(with_data(data)) == ("type", "/data")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ('{"a": "x\\u0000y"}', "nul_char"),
        ('{"a": [{"b\\u0000": 1}]}', "nul_char"),
        ('{"a": "\\ud800"}', "invalid_unicode"),
        ('{"\\udfff": 1}', "invalid_unicode"),
        ('{"a": 1e400}', "number_range"),
        ('{"a": 1e99999999999}', "number_range"),
        ('{"a": ' + "9" * 5000 + "}", "number_range"),
        ('{"a": 1e-20000}', "number_range"),
        ('{"a": 0e999999}', "number_range"),
        ('{"a": 1e-99999999999999999999}', "number_range"),
        ('{"a": 0.' + "0" * 16_383 + "1}", "number_range"),
        # The parser keeps the last of equal keys; PostgreSQL reads them all.
        ('{"a": "\\u0000", "a": 1}', "nul_char"),
        ('{"a": 1e-20000, "a": 1}', "number_range"),
        ('{"a": ' + "[" * 900 + "]" * 900 + ', "a": 1}', "too_deep"),
        (nested(33), "too_deep"),
        ("[" * 30_000, "too_deep"),
        ('{"a":' * 10_000, "too_deep"),
        (json.dumps(dict.fromkeys(map(str, range(1001)), 1)), "limits"),
        (json.dumps({"a": "x" * (16 * 1024 + 1)}), "limits"),
        (json.dumps({"x" * (16 * 1024 + 1): 1}), "limits"),
    ],
    ids=lambda value: value[:24],
)
def test_data_beyond_its_limits_is_refused(data: str, code: str) -> None:
    found, pointer = refusal(with_data(data))
    assert found == code
    # What breaks the JSON itself is not found by its place.
    assert pointer.startswith("/data") or code in {"invalid_unicode", "too_deep"}


@pytest.mark.parametrize(
    "data",
    [
        nested(32),
        '{"a": "' + "[" * 100 + '\\\\u0000"}',
        '{"a": 1e-16383, "b": 1E+308}',
        json.dumps(dict.fromkeys(map(str, range(1000)), 1)),
        json.dumps({"a": "x" * 16 * 1024}),
        '{"a": 1, "a": 2}',
        '{"__proto__": 1, "": 2, "a.b": 3, "$x": 4}',
        '{"score": 18446744073709551616, "low": -9223372036854775809}',
        '{"score": 0.1234567890123456789012345678901234567890, "zero": -0, "big": 1e2}',
        '{"a": "=cmd|x", "b": "<img onerror=alert(1)>", "c": "\\u0001\\uffff"}',
        '{ "spaced" : [ 1 , 2 ] }',
    ],
    ids=lambda value: value[:24],
)
def test_data_within_its_limits_is_kept_verbatim(data: str) -> None:
    assert bytes(read(with_data(data)).data) == data.encode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"null", "not_object"),
        (b"42", "not_object"),
        (b'"x"', "not_object"),
        (b"[]", "not_object"),
        (b"", "invalid_json"),
        (event_text() + b"x", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[" * 100000, "event_too_large"),
        (b"[" * 60000, "not_object"),
    ],
    ids=lambda value: str(value[:12]),
)
def test_what_is_no_json_object_is_no_event(text: bytes, code: str) -> None:
    assert refusal(text)[0] == code


def test_an_event_over_the_limit_is_refused() -> None:
    assert refusal(with_data(json.dumps({"a": ["x" * 16_000] * 5}))) == ("event_too_large", "")


def test_what_the_server_sets_cannot_be_sent() -> None:
    event = read(event_text(ingested_at="2020-01-01T00:00:00Z", is_admin=True, offset=7))
    assert event.ingested_at == NOW
    assert set(json.loads(encode(event))) == set(Event.__struct_fields__)


@pytest.mark.parametrize(
    ("moment", "code"),
    [("9999-12-31T23:59:59Z", "future"), ("0001-01-01T00:00:00+14:00", "too_old")],
)
def test_a_forged_time_of_acceptance_is_refused(moment: str, code: str) -> None:
    with pytest.raises(EventInvalid) as caught:
        decode_event(event_text(ingested_at=moment), now=NOW, absent_id=event_id(1))
    assert (caught.value.code, caught.value.pointer) == (code, "/ingested_at")


def test_the_last_of_equal_keys_wins() -> None:
    assert read(event_text()[:-1] + b', "player_id": "bo"}').player_id == "bo"
