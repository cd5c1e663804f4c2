"""Generated events: several types, integer and decimal scores, some events sent twice."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Final, NamedTuple

import uuid_utils

from apps.demo.oracle import Oracle
from apps.demo.stream import Batch

REPEATED: Final = 0.01  # share of the events that is sent once more
# (event type, weight, field that bears the score, score without the field)
_TYPES: Final = (
    ("player_score", 30, "score", None),
    ("quest_completed", 15, "reward_points", Decimal(10)),
    ("achievement_unlocked", 10, "points", Decimal(5)),
    ("boss_defeated", 10, "difficulty_score", Decimal(50)),
    ("item_purchased", 20, "", None),
    ("session_started", 15, "", None),
)
_WEIGHTS: Final = list(accumulate(weight for _, weight, _, _ in _TYPES))


class Drawn(NamedTuple):
    """What an event is about; `data` is JSON text, `score` what it adds to the default board."""

    event_type: str
    data: str
    score: Decimal | None


def draw(dice: random.Random) -> Drawn:
    """Half of the scores are whole, a third has decimals, the others are absent."""
    ((event_type, _, field, absent),) = dice.choices(_TYPES, cum_weights=_WEIGHTS)
    number = dice.randrange(-1_000, 100_000)
    if not field:
        return Drawn(event_type, f'{{"item":{number},"source":"load"}}', None)
    kind = dice.random()
    if kind < 0.5:
        return Drawn(event_type, f'{{"{field}":{number}}}', Decimal(number))
    if kind < 0.85:
        score = Decimal(number).scaleb(-dice.randint(1, 4))
        return Drawn(event_type, f'{{"{field}":{score:f},"source":"load"}}', score)
    return Drawn(event_type, "{}", absent)


class Generator:
    """Events of one game, told to the oracle as they are made."""

    def __init__(
        self,
        game_id: str,
        players: int,
        *,
        oracle: Oracle,
        dice: random.Random,
        new_id: Callable[[], str] = lambda: str(uuid_utils.uuid7()),
    ) -> None:
        self._game_id = game_id
        self._players = [f"player-{number:06d}" for number in range(players)]
        self._oracle = oracle
        self._dice = dice
        self._new_id = new_id
        self._again: deque[str] = deque()

    def batch(self, size: int, now: datetime, due: float | None = None) -> Batch:
        """`size` events that happened at `now`, repeats of earlier batches among them."""
        moment = now.isoformat(timespec="microseconds")
        lines: list[str] = []
        for _ in range(size):
            # At most half of a batch, and never the batch's own: those would be one message.
            if self._again and len(lines) < size // 2:
                lines.append(self._again.popleft())
                self._oracle.repeats += 1
            else:
                lines.append(self._new(moment))
        self._again.extend(line for line in lines if self._dice.random() < REPEATED)
        return Batch(body="\n".join(lines).encode(), events=size, due=due)

    def _new(self, moment: str) -> str:
        player_id = self._dice.choice(self._players)
        drawn = draw(self._dice)
        self._oracle.add(drawn.event_type, player_id, drawn.score)
        return (
            f'{{"event_id":"{self._new_id()}","event_type":"{drawn.event_type}",'
            f'"player_id":"{player_id}","game_id":"{self._game_id}",'
            f'"timestamp":"{moment}","data":{drawn.data}}}'
        )
