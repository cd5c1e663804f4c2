"""From events to one delta a player and set of periods."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from apps.leaderboards.periods import Period, day_of
from apps.leaderboards.rules import (
    Definition,
    Operator,
    Order,
    Standing,
    counted,
    merge,
    score_of,
    standing,
)

# A member read from its class costs more than the branch that it decides.
_COUNT: Final = Operator.COUNT
_LATEST: Final = Operator.LATEST
# Non-integers as decimals: a float would have lost digits before we look.
_data = msgspec.json.Decoder(float_hook=Decimal)

# The periods that hold the same events of a board: their names with their starts.
Starts = tuple[tuple[Period, datetime], ...]


class Scored(NamedTuple):
    """One event's score on one board; its id where the board's operator asks for it."""

    definition: Definition
    player_id: str
    at: datetime
    score: Decimal
    event_id: str = ""


def scores(
    definitions: Iterable[Definition],
    event_type: str,
    player_id: str,
    at: datetime,
    data: bytes | str | msgspec.Raw,
    event_id: str,
) -> list[Scored]:
    """The event's scores on the boards of its game. Raises EventRefused."""
    counting = [d for d in definitions if event_type in d.scoring]
    if not counting:
        return []
    document = _data.decode(data)
    found = []
    for definition in counting:
        where = definition.where
        if where is not None and not where.holds(document):
            continue
        operator = definition.operator
        scoring = definition.scoring[event_type]
        score = (counted if operator is _COUNT else score_of)(scoring, document)
        if score is not None:
            named = event_id if operator is _LATEST else ""
            found.append(Scored(definition, player_id, at, score, named))
    return found


@dataclass(slots=True)
class _BoardDeltas:
    """What one board has to merge, folded by what the finest periods part.

    A day lies in one period of each kind, so an event is merged once and not once a period. Seasons
    may begin within a day: a board that has them is parted by season and day.
    """

    definition: Definition
    cells: dict[Starts, dict[str, Standing]] = field(default_factory=dict)
    days: dict[object, dict[str, Standing]] = field(default_factory=dict)

    def add(self, player_id: str, at: datetime, score: Decimal, event_id: str) -> None:
        definition = self.definition
        day: object = day_of(at, definition.timezone)
        if definition.season:
            day = day, definition.start_of(Period.SEASON, at)
        cell = self.days.get(day)
        if cell is None:
            cell = self.days[day] = self.cells.setdefault(self._starts(at), {})
        self._merge(cell, player_id, standing(score, at, event_id))

    def _starts(self, at: datetime) -> Starts:
        definition = self.definition
        return tuple((period, definition.start_of(period, at)) for period in definition.periods)

    def parts(self) -> Iterator[tuple[Starts, dict[str, Standing]]]:
        """Standings with the periods that they are merged into; a player once in each period."""
        if len(self.cells) == 1:
            yield from self.cells.items()
            return
        seen = Counter(player_id for cell in self.cells.values() for player_id in cell)
        apart: dict[tuple[Period, datetime], dict[str, Standing]] = defaultdict(dict)
        for starts, cell in self.cells.items():
            alone = {player_id: value for player_id, value in cell.items() if seen[player_id] == 1}
            if alone:
                yield starts, alone
            for player_id in cell.keys() - alone.keys():
                for start in starts:
                    self._merge(apart[start], player_id, cell[player_id])
        for start, standings in apart.items():
            yield (start,), standings

    def _merge(self, standings: dict[str, Standing], player_id: str, value: Standing) -> None:
        held = standings.get(player_id)
        standings[player_id] = (
            value
            if held is None
            else merge(self.definition.operator, self.definition.order, held, value)
        )


@dataclass(kw_only=True, slots=True)
class Rows:
    """Deltas as `EntryQuerySet.merge` takes them.

    A delta has player_id, score, achieved_at, moved and `part`, and event_id under LATEST; a scope
    is game_id, board, period, period_start and descending of one period of that part, and whether
    its changed entries are to be told. So a delta that counts in four periods travels once.
    """

    scopes: list[dict[str, Any]] = field(default_factory=list)
    deltas: list[dict[str, Any]] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Deltas:
    """Standings by board, of the events of one transaction."""

    boards: dict[tuple[str, str], _BoardDeltas] = field(default_factory=dict)

    def add(self, scored: Scored) -> None:
        """Fold one score into its board."""
        definition, player_id, at, score, event_id = scored
        key = definition.game_id, definition.name
        board = self.boards.get(key)
        if board is None:
            board = self.boards[key] = _BoardDeltas(definition)
        board.add(player_id, at, score, event_id)

    def operators(self) -> list[Operator]:
        """How the boards merge, in the order in which every transaction writes them."""
        used = {board.definition.operator for board in self.boards.values()}
        return [operator for operator in Operator if operator in used]

    def rows(self, operator: Operator) -> Rows:
        """The deltas of the boards that merge so."""
        found = Rows()
        number = 0
        for board in self.boards.values():
            if board.definition.operator is not operator:
                continue
            for starts, standings in board.parts():
                found.scopes += _scopes(number, board.definition, starts)
                deltas = [
                    {
                        "part": number,
                        "player_id": player_id,
                        "score": value.score,
                        "achieved_at": value.achieved_at,
                        "moved": value.moved,
                    }
                    for player_id, value in standings.items()
                ]
                if operator is Operator.LATEST:
                    for delta, value in zip(deltas, standings.values(), strict=True):
                        delta["event_id"] = value.event_id
                found.deltas += deltas
                number += 1
        return found


def _scopes(number: int, definition: Definition, starts: Starts) -> list[dict[str, Any]]:
    return [
        {
            "part": number,
            "game_id": definition.game_id,
            "board": definition.name,
            "period": period,
            "period_start": start,
            "descending": definition.order is Order.DESC,
            "told": False,
        }
        for period, start in starts
    ]
