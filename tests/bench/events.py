"""The events of every row and every peer: one mix, unique ids, each with the moment it was due."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
import uuid_utils

from apps.contract.envelope import Event, encode
from apps.demo.generator import Drawn, draw

GAMES: Final = 5
PLAYERS: Final = 10_000
# `data` bears the moment that the schedule meant, in seconds since 1970: whoever reads the topic
# afterwards knows it for each offset, whichever way the event came there.
DUE: Final = re.compile(rb'"due":(\d+\.\d+)')


class Message(NamedTuple):
    """An event as the API writes it to Kafka."""

    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


@dataclass(kw_only=True)
class Source:
    """Events of some games and players: 65 % of them score, all ids are UUIDv7."""

    seed: int
    games: int = GAMES
    players: int = PLAYERS
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def message(self, due: float) -> Message:
        """The next event in Kafka, accepted by the API when it was due."""
        moment = datetime.fromtimestamp(due, UTC)
        drawn, player_id, game_id = self._draw()
        event_id = str(uuid_utils.uuid7())
        event = Event(
            event_id=event_id,
            event_type=drawn.event_type,
            player_id=player_id,
            game_id=game_id,
            timestamp=moment,
            ingested_at=moment,
            data=msgspec.Raw(_with_due(drawn.data, due).encode()),
        )
        headers: list[tuple[str, str | bytes | None]] = [
            ("event_type", drawn.event_type.encode()),
            ("event_id", event_id.encode()),
        ]
        return Message(key=player_id.encode(), value=encode(event), headers=headers)

    def body(self, size: int, due: float) -> bytes:
        """The body of a POST: one event, or an array of `size`."""
        moment = datetime.fromtimestamp(due, UTC).isoformat(timespec="microseconds")
        events = [self._sent(moment, due) for _ in range(size)]
        return (events[0] if size == 1 else f"[{','.join(events)}]").encode()

    def _sent(self, moment: str, due: float) -> str:
        drawn, player_id, game_id = self._draw()
        return (
            f'{{"event_id":"{uuid_utils.uuid7()}","event_type":"{drawn.event_type}",'
            f'"player_id":"{player_id}","game_id":"{game_id}",'
            f'"timestamp":"{moment}","data":{_with_due(drawn.data, due)}}}'
        )

    def _draw(self) -> tuple[Drawn, str, str]:
        number = self._dice.randrange(self.players)
        return draw(self._dice), player(number), game(number % self.games)


def player(number: int) -> str:
    return f"player-{number:07d}"


def game(number: int) -> str:
    return f"bench-{number}"


def _with_due(data: str, due: float) -> str:
    comma = "," if len(data) > 2 else ""
    return f'{data[:-1]}{comma}"due":{due:.6f}}}'


def due_of(value: bytes) -> float:
    """The moment at which the message was due, in seconds since 1970; 0 where it bears none."""
    found = DUE.search(value)
    return float(found[1]) if found else 0.0
