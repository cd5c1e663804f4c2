"""What an event counts for, as the peers know it: the default scores and the four periods."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

# Of each event type: where its score is, and what counts where it has none.
SCORES: Final[dict[str, tuple[str, Decimal | None]]] = {
    "player_score": ("score", None),
    "quest_completed": ("reward_points", Decimal(10)),
    "achievement_unlocked": ("points", Decimal(5)),
    "boss_defeated": ("difficulty_score", Decimal(50)),
}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Entry(NamedTuple):
    """A score on the default board in one period."""

    game_id: str
    period: str
    period_start: datetime
    player_id: str


def decode(value: bytes | None) -> dict[str, Any]:
    """The event of a message; decimals keep every digit."""
    event: dict[str, Any] = json.loads(value or b"", parse_float=Decimal)
    return event


def score_of(event: dict[str, Any]) -> Decimal | None:
    """None where the event counts on no board."""
    field, absent = SCORES.get(event["event_type"], ("", None))
    found = event["data"].get(field) if field else None
    return absent if found is None else Decimal(found)


def time_of(event: dict[str, Any]) -> datetime:
    """When it happened, in UTC."""
    return datetime.fromisoformat(event["timestamp"]).astimezone(UTC)


def entries_of(event: dict[str, Any]) -> list[Entry]:
    """The event's player in each of the four periods."""
    day = time_of(event).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = {
        "alltime": EPOCH,
        "daily": day,
        "weekly": day - timedelta(days=day.weekday()),
        "monthly": day.replace(day=1),
    }
    return [
        Entry(event["game_id"], period, start, event["player_id"])
        for period, start in starts.items()
    ]
