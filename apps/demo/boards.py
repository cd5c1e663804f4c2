"""The demo's two boards: what they count, and the ranks that they must show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

import msgspec

from apps.demo.lichess import Played

_data: Final = msgspec.json.Decoder(float_hook=Decimal)
PERIODS: Final = ("alltime", "daily", "weekly")


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoBoard:
    """A board of every game of the demo."""

    name: str
    field: str  # of data, on game_finished
    operator: Literal["best", "sum"]

    def declaration(self) -> dict[str, Any]:
        """The body that declares it."""
        return {
            "name": self.name,
            "event_types": ["game_finished"],
            "score": f"/{self.field}",
            "operator": self.operator,
            "order": "desc",
            "periods": list(PERIODS),
        }


RATING: Final = DemoBoard(name="rating", field="rating_after", operator="best")
POINTS: Final = DemoBoard(name="points", field="score", operator="sum")
BOARDS: Final = (RATING, POINTS)


class Rank(NamedTuple):
    """A line of a board."""

    player_id: str
    score: Decimal
    achieved_at: datetime


Ranks = Mapping[tuple[str, str], Sequence[Rank]]  # (game_id, board) -> from the first place on


def ranks(events: Iterable[Played]) -> Ranks:
    """Every board of every game, best first; of equal scores the one that was reached first.

    All events of the demo are of one UTC day, so its day and week are its all-time.
    """
    found: dict[tuple[str, str], dict[str, list[tuple[Decimal, datetime]]]] = {}
    for event in events:
        if event.event_type != "game_finished":
            continue
        data = _data.decode(event.data)
        for board in BOARDS:
            score = data.get(board.field)
            players = found.setdefault((event.game_id, board.name), {})
            if score is not None:
                scores = players.setdefault(event.player_id, [])
                scores.append((Decimal(score), event.timestamp))
    rules = {board.name: _best if board.operator == "best" else _sum for board in BOARDS}
    return {
        (game_id, name): sorted(
            (Rank(player, *rules[name](scores)) for player, scores in players.items()),
            key=lambda rank: (-rank.score, rank.achieved_at, rank.player_id),
        )
        for (game_id, name), players in found.items()
    }


def _best(scores: Sequence[tuple[Decimal, datetime]]) -> tuple[Decimal, datetime]:
    best = max(score for score, _ in scores)
    return best, min(at for score, at in scores if score == best)


def _sum(scores: Sequence[tuple[Decimal, datetime]]) -> tuple[Decimal, datetime]:
    """Reached with the last score that moved the sum; a sum nothing moved, with the first."""
    moving = [at for score, at in scores if score]
    total = sum((score for score, _ in scores), Decimal(0))
    return total, max(moving) if moving else min(at for _, at in scores)
