"""What is asked of quarantine and moderation over HTTP, and what they answer."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field

from apps.leaderboards.moderation import MOST
from apps.web.schemas import PlayerId

# Of rows; they are 64 bits.
RowId = Annotated[int, Field(ge=1, lt=2**63)]
BoardName = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")]


class _Because(Schema):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")


class SettleIn(_Because):
    """Which scores that were decided upon, by the decisions' ids."""

    ids: Annotated[list[RowId], Field(min_length=1, max_length=MOST)]


class PlayerIn(_Because):
    """Whom, and where; no board is every board of the game."""

    player_id: PlayerId
    board: BoardName = ""


class ScoresIn(_Because):
    """Which events, and from which board."""

    board: Annotated[BoardName, Field(min_length=1)]
    event_ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST)]


class UndoIn(_Because):
    """Why it is undone."""


class Page(Schema):
    """Newest first; `cursor` is the `next` of the page before."""

    player_id: PlayerId | None = None
    board: BoardName | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    cursor: RowId | None = None


class QuarantineAsked(Page):
    """Which decisions."""

    state: Literal["held", "released", "removed"] = "held"


class ActOut(Schema):
    """One act; `before` and `after` are states of the decision, or of hiding."""

    id: int
    board: str
    player_id: str
    event_id: UUID | None
    action: str
    before: str
    after: str
    actor: str
    acted_at: datetime
    reason: str
    undo_of: int | None


class DoneOut(Schema):
    """What was done; nothing where it was so already."""

    status: Literal["success"]
    acts: list[ActOut]


class ActsOut(Schema):
    """A page of acts."""

    acts: list[ActOut]
    next: int | None


class DecisionOut(Schema):
    """A score that somebody or some rule decided upon."""

    id: int
    board: str
    event_id: UUID
    player_id: str
    event_timestamp: datetime
    score: Decimal
    rule: str
    detail: str
    state: str
    board_version: int
    created_at: datetime
    decided_by: str
    decided_at: datetime | None
    reason: str


class QuarantineOut(Schema):
    """A page of decisions."""

    decisions: list[DecisionOut]
    next: int | None
