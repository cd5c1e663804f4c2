"""A case of the corpus: what is sent, and what must become of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

# Stands for a game of the case alone, whose name is as long.
GAME = b"@game"
JSON = "application/json"
NDJSON = "application/x-ndjson"
_FIELDS = {
    "event_type": '"player_score"',
    "player_id": '"ada"',
    "game_id": '"@game"',
    "timestamp": '"2024-01-15T10:00:00Z"',
    "data": '{"score": 10}',
}


def event(**changes: str | None) -> bytes:
    """A valid event; a change is JSON text, so that it can be bad JSON; None takes a field away."""
    fields = {**_FIELDS, **changes}
    members = (f'"{name}": {text}' for name, text in fields.items() if text is not None)
    return ("{" + ", ".join(members) + "}").encode("utf-8", "surrogatepass")


def data(text: str) -> bytes:
    """A valid event but for its `data`."""
    return event(data=text)


def quoted(text: str) -> str:
    """The text as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def batch(*events: bytes) -> bytes:
    return b'{"events": [' + b", ".join(events) + b"]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A request, and what it must come to: status, codes, effects."""

    row: int
    what: str
    expect: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", JSON),)
    method: str = "POST"
    pack: Callable[[bytes], bytes] = bytes  # what is sent of the body

    def __str__(self) -> str:
        return f"{self.row}-{self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Produced:
    """A message on the topic, past the API, and what it must come to."""

    row: int
    what: str
    expect: str
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = 0  # milliseconds; 0: the producer's clock

    def __str__(self) -> str:
        return f"{self.row}-{self.what}"
