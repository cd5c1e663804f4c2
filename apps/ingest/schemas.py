"""The OpenAPI description of POST /api/v1/events."""

from __future__ import annotations

from typing import Any, Final

_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["event_type", "player_id", "game_id", "timestamp"],
    "properties": {
        "event_id": {
            "type": "string",
            "format": "uuid",
            "description": "Any RFC 9562 UUID; the server issues a UUIDv7 where it is absent. "
            "An event with an id that was applied before changes nothing.",
        },
        "event_type": {
            "type": "string",
            "pattern": r"^[A-Za-z0-9_.\- ]{1,64}(:[A-Za-z0-9_.\- ]{1,64}){0,4}$",
        },
        "player_id": {"type": "string", "minLength": 1, "maxLength": 512},
        "game_id": {"type": "string", "minLength": 1, "maxLength": 128},
        "timestamp": {
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339 with an offset; from 1970 to 24 h in the future.",
        },
        "data": {"type": "object", "default": {}},
        "event_version": {"type": "string", "minLength": 1, "maxLength": 32, "nullable": True},
        "session_id": {"type": "string", "minLength": 1, "maxLength": 128, "nullable": True},
        "sent_at": {"type": "string", "format": "date-time", "nullable": True},
    },
    "example": {
        "event_type": "player_score",
        "player_id": "ada",
        "game_id": "chess",
        "timestamp": "2024-01-15T10:00:00Z",
        "data": {"score": 120},
    },
}
_EVENTS: Final = {"type": "array", "minItems": 1, "maxItems": 1000, "items": _EVENT}
_BATCH: Final = {"type": "object", "required": ["events"], "properties": {"events": _EVENTS}}


def _answer(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }


POST_EVENTS: Final[dict[str, Any]] = {
    "summary": "Accept one event or a batch",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"anyOf": [_EVENT, _BATCH, _EVENTS]}},
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "One event a line"}
            },
        },
    },
    "responses": {
        202: _answer("Kafka has confirmed every event."),
        207: _answer("Some events were accepted: see `results`."),
        400: _answer("No event was accepted, or the body is malformed."),
        401: _answer("A key is required and was not given."),
        411: _answer("The body has no Content-Length."),
        413: _answer("The body or the batch is too large."),
        415: _answer("The media type, charset or encoding is not supported."),
        429: _answer("Over RATE_LIMIT_RPS requests a second; see Retry-After."),
        503: _answer("Kafka did not confirm; send again with the same ids after Retry-After."),
    },
}
