"""The events of one seed: several games, few busy players and many rare ones, ties, bad events."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from random import Random
from typing import Any, Final

GAMES: Final = 4
PLAYERS: Final = ("ada", "bo", "cyd", *(f"player-{number:02}" for number in range(37)))
# Across a leap day and the ends of a month and of an ISO week.
BEGIN: Final = datetime(2024, 2, 28, 21, tzinfo=UTC)
SPAN: Final = timedelta(days=9)
DUPLICATES: Final = 0.05
BAD: Final = 0.01
SESSIONS: Final = (
    0.7  # of the events bear a session's id; one id is used by many players, on many days
)


class Kind(IntEnum):
    """What is to become of an event once it is confirmed."""

    GOOD = 0
    REFUSED = 1  # by the API: no effect at all
    UNSCORED = 2  # the boards' dead letter, in log and statistics all the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event: what the oracle knows of it, and the bytes that are sent."""

    event_id: str
    event_type: str
    player_id: str
    game_id: str
    timestamp: datetime
    data: str
    session_id: str | None
    kind: Kind
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """`order` is what the client sends, by index: duplicates come twice."""

    name: str
    games: tuple[str, ...]
    events: list[Event]
    order: list[int]

    @property
    def board_game(self) -> str:
        """The game that has a board `best` beside the default one."""
        return self.games[0]


def stream(name: str, events: int, chance: Random) -> Stream:
    """The stream called `name`; its games are named after it."""
    games = tuple(f"{name}-{number}" for number in range(GAMES))
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(PLAYERS))))
    made = [_event(games, weights, chance) for _ in range(events)]
    order = list(range(events))
    for index in chance.sample(range(events), int(events * DUPLICATES)):
        # Some at once, in the same request; some much later.
        later = index + 1 if chance.random() < 0.3 else chance.randrange(index, events + 1)
        order.insert(later, index)
    return Stream(name=name, games=games, events=made, order=order)


def _event(games: tuple[str, ...], weights: list[float], chance: Random) -> Event:
    bad = chance.random() < BAD
    kind = chance.choice((Kind.REFUSED, Kind.UNSCORED)) if bad else Kind.GOOD
    event_type, data = _happening(chance)
    if kind is Kind.UNSCORED:
        event_type, data = "player_score", {"score": chance.choice(("ten", True, [1], {}))}
    # Whole minutes: many events happen at one time, and many ties are ties in time as well.
    moment = BEGIN + timedelta(minutes=chance.randrange(int(SPAN.total_seconds()) // 60))
    fields: dict[str, Any] = {
        "event_id": uuid_of(chance),
        "event_type": event_type,
        "player_id": chance.choices(PLAYERS, cum_weights=weights)[0],
        "game_id": chance.choice(games),
        "timestamp": moment.isoformat(),
        "data": data,
    }
    if chance.random() < SESSIONS:
        fields["session_id"] = f"session-{chance.randrange(30)}"
    text = json.dumps(data)
    known = {"session_id": None, **fields, "timestamp": moment, "data": text}
    if kind is Kind.REFUSED:
        fields |= chance.choice(
            ({"player_id": " "}, {"timestamp": "yesterday"}, {"data": []}, {"event_type": ""})
        )
    return Event(**known, kind=kind, body=json.dumps(fields).encode())


def _happening(chance: Random) -> tuple[str, dict[str, Any]]:
    points = chance.choice((0, 1, 5, 10, 10, 10, 25, 0.1, 12.345, -3, 10**15 + chance.randrange(9)))
    drawn = chance.randrange(8)
    if drawn < 3:
        return "player_score", {"score": points}
    if drawn == 3:
        return "quest_completed", {"reward_points": points, "quest": "Überfahrt"}
    if drawn == 4:
        return chance.choice(("quest_completed", "achievement_unlocked", "boss_defeated")), {}
    if drawn == 5:
        return "achievement_unlocked", {"points": points}
    if drawn == 6:
        return "boss_defeated", {"difficulty_score": points}
    return "session_started", {"score": points, "device": "\N{SMILING FACE WITH SMILING EYES}"}


def uuid_of(chance: Random) -> str:
    """A UUID of version 4 from the seed."""
    digits = f"{chance.getrandbits(128):032x}"
    variant = "89ab"[chance.getrandbits(2)]
    return "-".join(
        (digits[:8], digits[8:12], f"4{digits[13:16]}", f"{variant}{digits[17:20]}", digits[20:])
    )
