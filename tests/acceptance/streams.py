"""Streams of events, and what they must add up to: counted here, not by the code under test."""

import gzip
import json
import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

Event = dict[str, Any]

LICHESS = Path(__file__).parents[2] / "apps" / "demo" / "data" / "lichess" / "events.ndjson.gz"
CAST = ("ada", "bo", "cyd", *(f"player-{number}" for number in range(37)))
# Across a leap day, the end of a month and, from 2,990 events on, the end of an ISO week.
BEGIN = datetime(2024, 2, 29, 12, tzinfo=UTC)
STEP = timedelta(seconds=110)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stream(game_id: str, events: int) -> list[Event]:
    """A mixed stream of a game: every default score, given and absent, and what has none."""
    chance = random.Random(events)
    return [
        {
            "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{game_id}/{number}")),
            "event_type": event_type,
            "player_id": chance.choice(CAST),
            "game_id": game_id,
            "timestamp": (BEGIN + number * STEP).isoformat(),
            "data": data,
        }
        for number in range(events)
        for event_type, data in [_happening(number, chance)]
    ]


def _happening(number: int, chance: random.Random) -> tuple[str, Event]:
    points = chance.randint(1, 99)
    return (
        ("player_score", {"score": points + 0.1}),  # 0.1 has no exact double
        ("quest_completed", {"reward_points": points, "quest": "Überfahrt"}),
        ("quest_completed", {}),
        ("achievement_unlocked", {}),
        ("boss_defeated", {"difficulty_score": points}),
        ("session_started", {"score": points}),
    )[number % 6]


def lichess(game_id: str, events: int) -> list[Event]:
    """The first real events of the demo, moved into a game of their own."""
    with gzip.open(LICHESS, "rt", encoding="utf-8") as lines:
        return [_moved(json.loads(line), game_id) for line in islice(lines, events)]


def _moved(event: Event, game_id: str) -> Event:
    own = uuid.uuid5(uuid.UUID(event["event_id"]), game_id)
    return {**event, "event_id": str(own), "game_id": game_id}


BoardKey = tuple[str, datetime, str]  # period, period_start, player_id


@dataclass(kw_only=True)
class Totals:
    """What a game's events add up to in the log, the statistics and the default board."""

    log: dict[tuple[str, str], int] = field(default_factory=dict)
    statistics: dict[str, tuple[int, dict[str, int], datetime, datetime]] = field(
        default_factory=dict
    )
    board: dict[BoardKey, tuple[Decimal, datetime]] = field(default_factory=dict)
    dead_letters: int = 0


def expected(events: Sequence[Event]) -> Totals:
    """The totals of the events, however often and in whatever order they are sent."""
    log: dict[tuple[str, str], int] = defaultdict(int)
    times: dict[str, list[datetime]] = defaultdict(list)
    board: dict[BoardKey, tuple[Decimal, datetime]] = {}
    for event in {event["event_id"]: event for event in events}.values():
        player, at = event["player_id"], datetime.fromisoformat(event["timestamp"])
        log[player, event["event_type"]] += 1
        times[player].append(at)
        score = score_of(event)
        for period, start in periods_of(at) if score is not None else ():
            held, latest = board.get((period, start, player), (Decimal(0), at))
            board[period, start, player] = (held + (score or 0), max(latest, at))
    statistics = {
        player: (
            len(moments),
            {kind: n for (who, kind), n in log.items() if who == player},
            min(moments),
            max(moments),
        )
        for player, moments in times.items()
    }
    return Totals(log=dict(log), statistics=statistics, board=board)


def score_of(event: Event) -> Decimal | None:
    """The default scores of DESIGN.md; None where the event has none."""
    field_of = {
        "player_score": ("score", None),
        "quest_completed": ("reward_points", 10),
        "achievement_unlocked": ("points", 5),
        "boss_defeated": ("difficulty_score", 50),
    }
    if event["event_type"] not in field_of:
        return None
    name, absent = field_of[event["event_type"]]
    found = event["data"].get(name, absent)
    return None if found is None else Decimal(str(found))


def periods_of(at: datetime) -> list[tuple[str, datetime]]:
    """Every period that holds the moment, in UTC."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        ("alltime", EPOCH),
        ("daily", day),
        ("weekly", day - timedelta(days=day.weekday())),
        ("monthly", day.replace(day=1)),
    ]
