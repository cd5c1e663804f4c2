"""What is told of a board's change over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Schema


class ChangeAsked(Schema):
    """How a change is to go on."""

    switch: bool = False


class BuildOut(Schema):
    """A change of a board, and what has become of it."""

    id: int
    game_id: str
    board: str
    state: Literal["asked", "building", "ready", "switched", "done", "cancelled", "failed"]
    approved: bool
    definition: dict[str, Any]
    changes_version: int
    asked_by: str
    reason: str
    error: str
    events: int | None
    refused: int | None
    changed: int | None
    report: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    switched_at: datetime | None


class AskedOut(Schema):
    """The change."""

    status: Literal["success"]
    build: BuildOut


class BuildsOut(Schema):
    """The changes of a board, from the newest on."""

    builds: list[BuildOut]
