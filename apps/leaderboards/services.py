"""The leaderboards consumer: merge each scoring event once into the boards that count it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.contract.chunk import Record, decode_records
from apps.contract.queues import Consumer
from apps.hints import announce
from apps.leaderboards import locks, rank_index, selectors
from apps.leaderboards.folding import Deltas, scores
from apps.leaderboards.models import Entry, LeaderboardsAppliedEvent
from apps.leaderboards.periods import start_of
from apps.leaderboards.rank_index import Place
from apps.leaderboards.rules import Definition, Operator
from apps.ledger.failures import EventRefused
from apps.ledger.services import Applied

Definitions = Mapping[str, list[Definition]]


class LeaderboardsConsumer:
    """Entries in PostgreSQL, rank order in Redis."""

    name = Consumer.LEADERBOARDS

    def apply(self, records: str) -> Applied:
        decoded = decode_records(records)
        locks.hold_boards_still()
        definitions = selectors.definitions({record.game_id for record in decoded})
        scoring = [record for record in decoded if _counts(definitions, record)]
        merged = merge_events(scoring, definitions)
        repeated = merged.applied + len(merged.refused) < len(scoring)
        return Applied(
            applied=len(decoded) - len(scoring) + merged.applied,
            # Who applied a repeated event before, in another cut or from the log, may not have
            # come to its Redis write.
            changes=_places(decoded, definitions) if repeated else merged.changes,
            refused=merged.refused,
        )

    def refresh(self, changes: list[Any]) -> None:
        rank_index.put(changes)
        announce.boards_changed(place.scope for place in changes)

    def changes_of(self, records: str) -> list[Any]:
        decoded = decode_records(records)
        return _places(decoded, selectors.definitions({record.game_id for record in decoded}))


def merge_events(records: Iterable[Record], definitions: Definitions) -> Applied:
    """Claim the records and merge their scores into all boards of `definitions`.

    Runs in the caller's transaction. The first of equal ids counts.
    """
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record.event_id, record)
    claimed = LeaderboardsAppliedEvent.claim(first) if first else set()
    deltas = Deltas()
    refused: list[tuple[Record, Exception]] = []
    for event_id, record in first.items():
        if event_id not in claimed:
            continue
        try:
            found = scores(
                definitions[record.game_id],
                record.event_type,
                record.player_id,
                record.timestamp,
                bytes(record.data),
            )
        except EventRefused as error:
            refused.append((record, error))
            continue
        for scored in found:
            deltas.add(scored)
    if refused:
        LeaderboardsAppliedEvent.release(record.event_id for record, _ in refused)
    return Applied(
        applied=len(claimed) - len(refused), changes=merge(deltas), refused=tuple(refused)
    )


def merge(deltas: Deltas) -> list[Place]:
    """Write the deltas; the places that changed."""
    return [
        Place.of_row(row)
        for operator in Operator
        for row in Entry.objects.merge(operator, deltas.rows(operator))
    ]


def _places(records: Iterable[Record], definitions: Definitions) -> list[Place]:
    """The places that the records touch, as they stand now."""
    touched = {
        (
            record.game_id,
            start_of(period, record.timestamp, definition.timezone),
            record.player_id,
        )
        for record in records
        for definition in definitions[record.game_id]
        if record.event_type in definition.scoring
        for period in definition.periods
    }
    return selectors.places(touched)


def _counts(definitions: Definitions, record: Record) -> bool:
    return any(record.event_type in d.scoring for d in definitions[record.game_id])
