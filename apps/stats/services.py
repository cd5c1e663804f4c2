"""The stats consumer: fold each event once into its player's statistics."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from apps.contract.chunk import decode_records
from apps.contract.queues import Consumer
from apps.hints import announce
from apps.ledger.services import Applied
from apps.stats import cache, selectors
from apps.stats.cache import Statistics
from apps.stats.models import PlayerStatistics

_breakdown: Final = msgspec.json.Decoder(dict[str, int])


class StatsConsumer:
    """Statistics in PostgreSQL, with a hot copy in Redis."""

    name = Consumer.STATS

    def apply(self, records: str) -> Applied:
        rows = PlayerStatistics.objects.fold(records)
        changes = [
            Statistics(
                player_id=row[0],
                game_id=row[1],
                total_events=row[2],
                events=_breakdown.decode(row[3]),  # Django has psycopg2 hand jsonb over as text
                first_event_at=row[4],
                last_event_at=row[5],
                sessions=row[6],
                version=row[7],
            )
            for row in rows
        ]
        if not rows or rows[0][8] < rows[0][9] or rows[0][10]:
            # Who applied a repeated event before, in another cut, may not have come to its Redis
            # write. And aggregates that this chunk did not touch may have been written while it
            # waited for the player's row. It holds that now; only another statement sees them.
            changes = self.changes_of(records)
        return Applied(applied=rows[0][8] if rows else 0, changes=changes)

    def refresh(self, changes: list[Any]) -> None:
        cache.put(changes)
        announce.players_changed(changes)

    def changes_of(self, records: str) -> list[Any]:
        return selectors.of_players(
            {(record.player_id, record.game_id) for record in decode_records(records)}
        )
