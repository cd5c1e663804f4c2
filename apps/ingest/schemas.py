"""The OpenAPI description of POST /api/v1/events."""

from __future__ import annotations

from typing import Any, Final

from apps.contract.envelope import EVENT_TYPE

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
            "pattern": f"^{EVENT_TYPE}$",
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


_TEXT: Final = {"type": "string"}
_REFUSAL: Final = {
    "type": "object",
    "required": ["status", "error", "code", "pointer"],
    "properties": {
        "status": {"type": "string", "enum": ["error"]},
        "error": _TEXT,
        "code": _TEXT,
        "pointer": _TEXT,
        "event_id": {"type": "string", "format": "uuid"},
    },
}
_RECEIPT: Final = {
    "type": "object",
    "required": ["status", "event_id"],
    "properties": {
        "status": {"type": "string", "enum": ["success"]},
        "event_id": {"type": "string", "format": "uuid"},
    },
}
_RESULT: Final = {
    "type": "object",
    "required": ["index", "status"],
    "properties": {
        "index": {"type": "integer"},
        "status": {"type": "string", "enum": ["accepted", "rejected", "unconfirmed"]},
        "event_id": {"type": "string", "format": "uuid"},
        "code": _TEXT,
        "pointer": _TEXT,
        "message": _TEXT,
    },
}
_RESULTS: Final = {
    "type": "object",
    "required": ["status", "accepted", "rejected", "results"],
    "properties": {
        "status": {"type": "string", "enum": ["success", "partial", "error"]},
        "accepted": {"type": "integer"},
        "rejected": {"type": "integer"},
        "results": {"type": "array", "items": _RESULT},
    },
}


def _answer(description: str, *schemas: dict[str, Any]) -> dict[str, Any]:
    schema = {"anyOf": list(schemas)} if len(schemas) > 1 else schemas[0]
    return {"description": description, "content": {"application/json": {"schema": schema}}}


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
        202: _answer("Kafka has confirmed every event.", _RECEIPT, _RESULTS),
        207: _answer("Some events were accepted: see `results`.", _RESULTS),
        400: _answer("No event was accepted, or the body is malformed.", _REFUSAL, _RESULTS),
        401: _answer("A key is required and was not given.", _REFUSAL),
        403: _answer("The key opens something else.", _REFUSAL),
        405: _answer("Events are sent by POST.", _REFUSAL),
        411: _answer("The body has no Content-Length.", _REFUSAL),
        413: _answer("The body or the batch is too large.", _REFUSAL),
        415: _answer("The media type, charset or encoding is not supported.", _REFUSAL),
        429: _answer("Over RATE_LIMIT_RPS requests a second; see Retry-After.", _REFUSAL),
        503: _answer(
            "Kafka did not confirm; send again with the same ids after Retry-After.",
            _REFUSAL,
            _RESULTS,
        ),
    },
}
