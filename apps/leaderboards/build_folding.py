"""What a page of the log adds to the boards that are built."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

from django.db import connection

from apps.leaderboards import build_sql, upserts
from apps.leaderboards.build_rulings import BuildRulings
from apps.leaderboards.folding import Deltas, Scored, scores
from apps.leaderboards.rules import Definition
from apps.ledger.failures import EventRefused


class Given(NamedTuple):
    """What a board needs of an event; `data` is JSON text."""

    game_id: str
    player_id: str
    event_type: str
    at: datetime
    data: str
    event_id: str


@dataclass(kw_only=True, slots=True)
class Folding:
    """Adds events to the tables of the build, by the boards of their game that are built."""

    boards: Mapping[str, Sequence[Definition]]
    rulings: BuildRulings
    refused: int = 0  # events that have no score which a board that counts them takes
    _counting: dict[tuple[str, str], list[Definition]] = field(default_factory=dict)
    _parts: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        counting: dict[tuple[str, str], list[Definition]] = defaultdict(list)
        for definitions in self.boards.values():
            for definition in definitions:
                for event_type in definition.scoring:
                    counting[definition.game_id, event_type].append(definition)
        self._counting = dict(counting)

    def add(self, events: Iterable[Given], *, touched: bool = False) -> None:
        """Fold them in; `touched`: after their players were added up."""
        deltas = Deltas()
        players = set()
        for event in events:
            definitions = self._counting.get((event.game_id, event.event_type))
            if definitions is None:
                continue
            for scored in self._scores(definitions, event):
                if self.rulings.counts(scored, event.event_id):
                    deltas.add(scored)
                    players.add(scored.player_id)
        self._store(deltas)
        if touched and players:
            with connection.cursor() as cursor:
                cursor.execute(build_sql.TOUCH, {"players": sorted(players)})

    def add_noted(self, events: Sequence[Given]) -> None:
        """The same of events that were claimed after the snapshot, with what was decided then."""
        self.rulings.learn(
            (event.game_id, definition.name, event.event_id)
            for event in events
            for definition in self._counting.get((event.game_id, event.event_type), ())
        )
        self.add(events, touched=True)

    def _scores(self, definitions: Sequence[Definition], event: Given) -> list[Scored]:
        try:
            return _scores_of(definitions, event)
        except EventRefused:
            self.refused += 1
        if len(definitions) == 1:
            return []
        found: list[Scored] = []
        for definition in definitions:
            # Claimed, so it counts where it has a score: one board's refusal is not another's.
            try:
                found += _scores_of([definition], event)
            except EventRefused:
                continue
        return found

    def _store(self, deltas: Deltas) -> None:
        scopes: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for operator in deltas.operators():
            found = deltas.rows(operator)
            numbers: dict[int, int] = defaultdict(self._parts.__next__)
            scopes += (
                {**scope, "part": numbers[scope["part"]], "operator": operator.value}
                for scope in found.scopes
            )
            for row in found.deltas:
                row["part"] = numbers[row["part"]]
            rows += found.deltas
        if rows:
            values = {"scopes": upserts.as_json(scopes), "deltas": upserts.as_json(rows)}
            with connection.cursor() as cursor:
                cursor.execute(build_sql.ADD, values)


def _scores_of(definitions: Sequence[Definition], event: Given) -> list[Scored]:
    return scores(
        definitions, event.event_type, event.player_id, event.at, event.data, event.event_id
    )
