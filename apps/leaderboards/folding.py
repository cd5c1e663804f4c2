"""From events to one delta a player, board and period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from apps.leaderboards.periods import Period, start_of
from apps.leaderboards.rules import Definition, Operator, Order, Standing, merge, score_of, standing

# Non-integers as decimals: a float would have lost digits before we look.
_data = msgspec.json.Decoder(float_hook=Decimal)


class EntryKey(NamedTuple):
    """What identifies an entry."""

    game_id: str
    board: str
    period: Period
    period_start: datetime
    player_id: str


class Scored(NamedTuple):
    """One event's score on one board."""

    definition: Definition
    player_id: str
    at: datetime
    score: Decimal


def scores(
    definitions: Iterable[Definition],
    event_type: str,
    player_id: str,
    at: datetime,
    data: bytes | str,
) -> list[Scored]:
    """The event's scores on the boards of its game. Raises EventRefused."""
    counting = [d for d in definitions if event_type in d.scoring]
    if not counting:
        return []
    document = _data.decode(data)
    found = []
    for definition in counting:
        score = score_of(definition.scoring[event_type], document)
        if score is not None:
            found.append(Scored(definition, player_id, at, score))
    return found


@dataclass(kw_only=True, slots=True)
class Deltas:
    """Standings by entry, of the events of one transaction."""

    by_operator: dict[Operator, dict[EntryKey, Standing]] = field(default_factory=dict)
    orders: dict[tuple[str, str], Order] = field(default_factory=dict)

    def add(self, scored: Scored) -> None:
        """Fold one score into each of its board's periods."""
        definition = scored.definition
        self.orders[definition.game_id, definition.name] = definition.order
        standings = self.by_operator.setdefault(definition.operator, {})
        new = standing(scored.score, scored.at)
        for period in definition.periods:
            start = start_of(period, scored.at, definition.timezone)
            key = EntryKey(definition.game_id, definition.name, period, start, scored.player_id)
            held = standings.get(key)
            standings[key] = (
                new if held is None else merge(definition.operator, definition.order, held, new)
            )

    def rows(self, operator: Operator) -> Sequence[dict[str, Any]]:
        """The deltas as rows of `EntryQuerySet.merge`."""
        return [
            {
                **key._asdict(),
                "score": value.score,
                "rank_key": value.score.copy_negate()
                if self.orders[key.game_id, key.board] is Order.DESC
                else value.score,
                "achieved_at": value.achieved_at,
                "moved": value.moved,
            }
            for key, value in self.by_operator.get(operator, {}).items()
        ]
