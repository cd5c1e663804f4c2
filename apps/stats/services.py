"""The stats consumer: fold each event once into its player's statistics."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from apps.contract.queues import Consumer
from apps.hints import announce
from apps.ledger.services import Applied
from apps.stats import cache, selectors
from apps.stats.models import PlayerStatistics


class _Player(msgspec.Struct, frozen=True):
    """What is read of a record here: the rest of it goes to PostgreSQL undecoded."""

    player_id: str
    game_id: str


_players: Final = msgspec.json.Decoder(list[_Player])


class StatsConsumer:
    """Statistics in PostgreSQL, with copies in Redis of the players that are read."""

    name = Consumer.STATS

    def apply(self, records: str) -> Applied:
        # Of repeated events too: who applied them before may not have come to its Redis write.
        return Applied(
            applied=PlayerStatistics.objects.fold(records), changes=self.changes_of(records)
        )

    def refresh(self, changes: list[Any]) -> None:
        """After the commit: what is read now has every change of the chunk."""
        cache.put(selectors.of_players(cache.held(changes)))
        announce.players_changed(changes, selectors.of_players)

    def changes_of(self, records: str) -> list[Any]:
        """The (player_id, game_id) pairs of the records."""
        found = ((record.player_id, record.game_id) for record in _players.decode(records))
        return list(dict.fromkeys(found))
