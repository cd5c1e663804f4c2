"""Rows 75 to 82 of the corpus: messages that reach the topic past the API."""

from __future__ import annotations

import os
import pickle

from tests.acceptance.corpus.case import Produced, data, event

APPLIED = "1 applied"
YEAR_3000 = 32_503_680_000_000


def _dead(row: int, what: str, cause: str, value: bytes | None) -> Produced:
    return Produced(row=row, what=what, expect=f"dead at bridge: {cause}", value=value)


MESSAGES = (
    _dead(75, "no value (a tombstone)", "empty", None),
    _dead(75, "an empty value", "empty", b""),
    _dead(76, "random bytes", "invalid_json", bytes(range(256)) + os.urandom(64)),
    _dead(76, "byte FF in a string", "invalid_utf8", event(player_id='"Q"').replace(b"Q", b"\xff")),
    _dead(77, "an array", "not_object", b"[" + event() + b"]"),
    _dead(77, "an array 900 deep", "not_object", b"[" * 900 + b"]" * 900),
    _dead(77, "a number", "not_object", b"42"),
    _dead(78, "NUL in player_id", "nul_char", event(player_id=r'"\u0000"')),
    _dead(78, "NUL behind an equal key", "nul_char", data(r'{"a": "\u0000", "a": 1}')),
    _dead(78, "half a surrogate pair", "invalid_unicode", event(player_id=r'"\ud800"')),
    _dead(78, "NaN", "invalid_json", data('{"score": NaN}')),
    _dead(78, "1e-20000", "number_range", data('{"ratio": 1e-20000}')),
    _dead(79, "a pickle", "invalid_json", pickle.dumps({"player_id": "ada"})),
    Produced(row=80, what="no headers", expect=APPLIED, value=event()),
    Produced(
        row=80,
        what="headers of another event",
        expect=APPLIED,
        value=event(),
        headers=(("event_type", b"login"), ("event_id", b"\xff\x00"), ("empty", None)),
    ),
    _dead(80, "no game_id", "required", event(game_id=None)),
    _dead(80, "ingested_at at the end of time", "future",
          event(ingested_at='"9999-12-31T23:59:59Z"')),
    _dead(80, "ingested_at at the begin of time", "too_old",
          event(ingested_at='"0001-01-01T00:00:00+14:00"')),
    _dead(81, "900 KB", "event_too_large",
          data('{"a": ["' + '", "'.join(["x" * 9_000] * 100) + '"]}')),
    Produced(row=82, what="the record says 1970", expect=APPLIED, value=event(), timestamp=1),
    Produced(row=82, what="the record says 3000", expect="refused by Kafka: INVALID_TIMESTAMP",
             value=event(), timestamp=YEAR_3000),
)  # fmt: skip
