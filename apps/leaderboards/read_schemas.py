"""What is asked of a board over HTTP, and what it answers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

from apps.leaderboards.cursors import MAX_LENGTH
from apps.leaderboards.periods import Period
from apps.leaderboards.ranks import RankMode
from apps.web.schemas import PlayerId

# A player of a lookup costs Redis some 30 us at a million players, and everybody waits for it.
MAX_LOOKUP: Final = 200
MAX_AROUND: Final = 100


class Asked(Schema):
    """Which period, and in what form."""

    period: Period = Period.ALLTIME
    at: datetime | date | None = Field(
        None, description="A date or time in the period; now if absent. In the board's time zone."
    )
    rank_mode: RankMode = RankMode.ORDINAL
    scores: Literal["number", "string"] = "number"


class PageAsked(Asked):
    """Which entries of the period."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 25
    cursor: str | None = Field(
        None, max_length=MAX_LENGTH, description="`next` or `prev` of another page"
    )


class AroundAsked(Asked):
    """How many neighbours."""

    around: int = Field(5, ge=0, le=MAX_AROUND, description="Neighbours on each side")


class LookupIn(Schema):
    """Whose entries; one that is named twice is answered once."""

    model_config = ConfigDict(extra="forbid")

    player_ids: Annotated[list[PlayerId], Field(min_length=1, max_length=MAX_LOOKUP)]


class EntryOut(Schema):
    """One line of a board."""

    rank: int
    player_id: str
    score: Decimal | str
    achieved_at: datetime


class StandingsOut(Schema):
    """A board in one period; `period_end` is exclusive, null for all-time."""

    game_id: str
    board: str
    period: Period
    period_start: datetime | None
    period_end: datetime | None
    total: int
    entries: list[EntryOut]


class PageOut(StandingsOut):
    """Consecutive entries; `next` and `prev` are null at the ends of the board."""

    next: str | None
    prev: str | None


class PlayerOut(PageOut):
    """A player's entry, and `entries` around it, its own among them."""

    entry: EntryOut
    percentile: float = Field(
        description="Percent of the board with this score or a worse one: "
        "100 * (total - competition rank + 1) / total, cut after 4 digits"
    )


class LookupOut(StandingsOut):
    """The entries of those who have one, in rank order; the others in the order asked."""

    not_found: list[str]
