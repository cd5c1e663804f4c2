"""Rows 39 to 74 of the corpus: one event, good or bad in one field."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tests.acceptance.corpus.case import Posted, batch, data, event, quoted

ID = "0198f5a0-7c3e-7d4a-9b1c-%012x"
TAKEN = "202, 1 applied"
SCORE_INVALID = "202, 1 applied, dead at leaderboards: score_invalid"
SCORE_RANGE = "202, 1 applied, dead at leaderboards: score_range"


def _posted(row: int, what: str, expect: str, body: bytes) -> Posted:
    return Posted(row=row, what=what, expect=expect, body=body)


def _own_id(number: int) -> str:
    """An id of this case alone."""
    return quoted(ID % number)


def _ahead(**parts: int) -> str:
    return quoted((datetime.now(UTC) + timedelta(**parts)).isoformat())


IDS = (
    _posted(39, "no event_id", TAKEN, event()),
    _posted(40, "event_id 7", "400 type /event_id", event(event_id="7")),
    *(
        _posted(row, f"event_id {text!r}", "400 event_id /event_id", event(event_id=quoted(text)))
        for row, text in (
            (40, ""),
            (40, "abc"),
            (41, "00000000-0000-0000-0000-000000000000"),
            (41, "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            (42, "{" + ID % 1 + "}"),
            (42, "urn:uuid:" + ID % 1),
            (42, (ID % 1).replace("-", "")),
            (42, (ID % 1)[:-1] + "\uff11"),
        )
    ),
    _posted(43, "one UUID, upper and lower case", "202: accepted; accepted, 1 applied",
            batch(event(event_id=_own_id(0xAB43)), event(event_id=_own_id(0xAB43).upper()))),
    _posted(44, "the same event twice", "202: accepted; accepted, 1 applied",
            batch(*[event(event_id=_own_id(44))] * 2)),
    _posted(45, "one id, two contents", "202: accepted; accepted, 1 applied",
            batch(event(event_id=_own_id(45)),
                  event(event_id=_own_id(45), data='{"score": 99}'))),
    _posted(46, "one id, two games", "202: accepted; accepted, 1 applied",
            batch(event(event_id=_own_id(46)),
                  event(event_id=_own_id(46), game_id='"@game-two"'))),
)  # fmt: skip
NAMES = (
    _posted(47, "a type of the studio's own", TAKEN, event(event_type='"item:sword:buy_1"')),
    *(
        _posted(48, f"event_type {what}", "400 event_type /event_type",
                event(event_type=quoted(text)))
        for what, text in (
            ("of 400 characters", "x" * 400),
            ("'; DROP", "'; DROP TABLE events; --"),
            ("<script>", "<script>alert(1)</script>"),
        )
    ),
    _posted(49, "schema_version 999", TAKEN, event(schema_version="999")),
    _posted(50, "no player_id", "400 required /player_id", event(player_id=None)),
    *(
        _posted(50, f"player_id of {what}", "400 length /player_id", event(player_id=quoted(text)))
        for what, text in (
            ("no character", ""),
            ("spaces", "   "),
            ("513 characters", "x" * 513),
            ("257 emoji, 1,028 bytes", "\U0001f600" * 257),
        )
    ),
    _posted(50, "player_id of 512 characters", TAKEN, event(player_id=quoted("x" * 512))),
    _posted(50, "player_id of 256 emoji", TAKEN, event(player_id=quoted("\U0001f600" * 256))),
    *(
        _posted(51, f"player_id {text}", "400 type /player_id", event(player_id=text))
        for text in ("5", "true", "null", "{}", '["ada"]')
    ),
    _posted(52, "NUL in player_id", "400 nul_char /player_id", event(player_id=r'"a\u0000b"')),
    _posted(52, "a line feed in player_id", "400 control_char /player_id",
            event(player_id=r'"a\nb"')),
    _posted(53, "NUL in a value of data", "400 nul_char /data/a/0/b",
            data(r'{"a": [{"b": "x\u0000"}]}')),
    _posted(53, "NUL in a key of data", "400 nul_char /data/a", data(r'{"a": {"x\u0000": 1}}')),
    _posted(53, "NUL behind an equal key", "400 nul_char /data",
            data(r'{"a": "\u0000", "a": 1}')),
    _posted(53, "a backslash before u0000", TAKEN, data(r'{"a": "\\u0000"}')),
    _posted(54, "one name, composed and decomposed", "202: accepted; accepted, 2 applied",
            batch(event(player_id='"\u00e9"'), event(player_id='"e\u0301"'))),
    *(
        _posted(55, f"player_id with {what}", TAKEN,
                event(player_id=quoted(text), data=json.dumps({"name": text})))
        for what, text in (
            ("an emoji", "\U0001f600"),
            ("a change of direction", "\u202eabc"),
            ("a joiner of no width", "a\u200db"),
            ("U+FFFF", "\uffff"),
        )
    ),
)  # fmt: skip
TIMES = (
    _posted(56, "no timestamp", "400 required /timestamp", event(timestamp=None)),
    _posted(56, "timestamp null", "400 type /timestamp", event(timestamp="null")),
    _posted(57, "timestamp as a number", "400 type /timestamp", event(timestamp="1700000000")),
    *(
        _posted(row, f"timestamp {text}", "400 rfc3339 /timestamp", event(timestamp=quoted(text)))
        for row, text in (
            (57, "2026-11-20"),
            (57, "2026-11-20T11:00:00"),
            (57, "2024-W01-1"),
            (57, "1700000000"),
            (58, "2026-02-30T00:00:00Z"),
            (58, "2026-11-20T25:00:00Z"),
            (58, "2026-11-20T11:00:60Z"),
            (58, "2026-11-20T11:00:00+25:00"),
            (62, "0000-01-01T00:00:00Z"),
        )
    ),
    _posted(59, "25 h ahead", "400 future /timestamp", event(timestamp=_ahead(hours=25))),
    _posted(59, "1 h ahead", TAKEN, event(timestamp=_ahead(hours=1))),
    _posted(60, "2 min ahead", TAKEN, event(timestamp=_ahead(minutes=2))),
    _posted(61, "54 years ago", TAKEN, event(timestamp='"1970-01-01T00:00:00Z"')),
    _posted(61, "before 1970", "400 too_old /timestamp",
            event(timestamp='"1969-12-31T23:59:59Z"')),
    _posted(62, "the end of time", "400 future /timestamp",
            event(timestamp='"9999-12-31T23:59:59-12:00"')),
    _posted(62, "the begin of time", "400 too_old /timestamp",
            event(timestamp='"0001-01-01T00:00:00+14:00"')),
    _posted(63, "+14:00 over midnight", TAKEN, event(timestamp='"2024-01-15T08:30:00+14:00"')),
)  # fmt: skip
NUMBERS = (
    *(
        _posted(64, f"score {what}", TAKEN, data(f'{{"score": {number}}}'))
        for what, number in (("2^63", 2**63), ("-2^63 - 1", -(2**63) - 1), ("2^64", 2**64))
    ),
    _posted(64, "score 10^30", SCORE_RANGE, data(f'{{"score": {10**30}}}')),
    _posted(65, "score true", SCORE_INVALID, data('{"score": true}')),
    _posted(65, 'score "10"', SCORE_INVALID, data('{"score": "10"}')),
    _posted(65, "score 1.5", TAKEN, data('{"score": 1.5}')),
    _posted(65, "score null", TAKEN, data('{"score": null}')),
    _posted(66, "an integer of 5,000 digits", "400 number_range /data",
            data('{"score": ' + "9" * 5_000 + "}")),
    _posted(66, "an integer of 4,000 digits, no score", TAKEN, data('{"n": ' + "9" * 4_000 + "}")),
    _posted(67, "score -0", TAKEN, data('{"score": -0}')),
    _posted(67, "score 1e2", TAKEN, data('{"score": 1e2}')),
    _posted(67, "score of 30 digits after the point", TAKEN,
            data('{"score": 0.' + "123456789" * 3 + "123}")),
    _posted(67, "score of 40 digits after the point", SCORE_RANGE,
            data('{"score": 0.' + "1234567890" * 4 + "}")),
    _posted(67, "40 digits after the point, no score", TAKEN,
            data('{"ratio": 0.' + "1234567890" * 4 + "}")),
    _posted(68, "a negative duration and score", TAKEN, data('{"score": -5, "duration": -1}')),
)  # fmt: skip
DATA = (
    _posted(69, "1,001 keys", "400 limits /data",
            data(json.dumps(dict.fromkeys(map(str, range(1_001)), 1)))),
    _posted(69, "1,000 keys", TAKEN, data(json.dumps(dict.fromkeys(map(str, range(1_000)), 1)))),
    _posted(69, "a key of 5 KB", TAKEN, data(json.dumps({"k" * 5_000: 1}))),
    _posted(69, "a key of 16 KiB and a character", "400 limits /data",
            data(json.dumps({"k" * 16_385: 1}))),
    _posted(69, "a string of 16 KiB and a character", "400 limits /data/a",
            data(json.dumps({"a": "x" * 16_385}))),
    _posted(70, "keys __proto__, none, a.b, $x", TAKEN,
            data('{"__proto__": 1, "": 2, "a.b": 3, "$x": 4}')),
    _posted(71, "tenant, ingested_at, is_admin, offset", TAKEN,
            event(tenant='"x"', ingested_at='"2020-01-01T00:00:00Z"', is_admin="true",
                  offset="7")),
    _posted(72, "=cmd| and <img onerror>", TAKEN,
            data(json.dumps({"a": "=cmd|' /C calc'!A0", "b": "<img src=x onerror=alert(1)>"}))),
    _posted(74, "a score event without score", TAKEN, data("{}")),
    _posted(74, "data is a string", "400 type /data", data('"text"')),
)  # fmt: skip
EVENTS = (*IDS, *NAMES, *TIMES, *NUMBERS, *DATA)
