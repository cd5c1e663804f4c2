"""Statistics of a player in a game, folded from events exactly once."""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from django.db.models.functions import Now

from apps.database.prepared import Prepared
from apps.ledger import versions
from apps.ledger.models import AppliedEvent

# One statement a chunk: claim, fold to one delta a player, upsert in key order. Equal ids inside
# the chunk are reduced first: the claim returns an id once, the join would count it twice.
_FOLD: Final = Prepared(
    "fold_statistics",
    {"records": "json"},
    f"""
WITH records AS MATERIALIZED (
  SELECT DISTINCT ON (r.event_id) r.*
    FROM json_to_recordset(%(records)s) AS r(
         "offset" bigint, event_id uuid, event_type text, player_id text, game_id text,
         "timestamp" timestamptz)
   ORDER BY r.event_id, r."offset"
), claimed AS (
  INSERT INTO stats_applied_events (event_id) SELECT event_id FROM records
      ON CONFLICT (event_id) DO NOTHING RETURNING event_id
), by_type AS (
  SELECT player_id, game_id, event_type, count(*) AS n,
         min("timestamp") AS first_at, max("timestamp") AS last_at
    FROM records JOIN claimed USING (event_id) GROUP BY player_id, game_id, event_type
), folded AS (
  SELECT player_id, game_id, sum(n)::bigint AS n, jsonb_object_agg(event_type, n) AS breakdown,
         min(first_at) AS first_at, max(last_at) AS last_at
    FROM by_type GROUP BY player_id, game_id
)
INSERT INTO player_statistics AS s (player_id, game_id, total_events, event_breakdown,
                                    first_event_at, last_event_at, version)
SELECT player_id, game_id, n, breakdown, first_at, last_at, {versions.FRESH} FROM folded
 ORDER BY player_id, game_id
    ON CONFLICT (player_id, game_id) DO UPDATE SET
       total_events = s.total_events + EXCLUDED.total_events,
       event_breakdown = s.event_breakdown || (
         SELECT jsonb_object_agg(d.key, coalesce((s.event_breakdown->>d.key)::bigint, 0)
                                        + d.value::bigint)
           FROM jsonb_each_text(EXCLUDED.event_breakdown) AS d),
       first_event_at = least(s.first_event_at, EXCLUDED.first_event_at),
       last_event_at = greatest(s.last_event_at, EXCLUDED.last_event_at),
       version = {versions.next_of("s")},
       updated_at = now()
RETURNING s.player_id, s.game_id, s.total_events, s.event_breakdown, s.first_event_at,
          s.last_event_at, s.version, (SELECT count(*) FROM claimed),
          (SELECT count(*) FROM records)
""",
)


class StatsAppliedEvent(AppliedEvent):
    """The applied-event ledger of the stats consumer."""

    class Meta(AppliedEvent.Meta):
        abstract = False
        db_table = "stats_applied_events"


class PlayerStatisticsQuerySet(models.QuerySet["PlayerStatistics"]):
    """Set-based writes."""

    def fold(self, records: str) -> list[tuple[Any, ...]]:
        """Apply the records that this consumer has not applied yet.

        Returns the changed rows (player_id, game_id, total_events, event_breakdown,
        first_event_at, last_event_at, version, events applied by this call, different events).
        """
        return _FOLD.fetch({"records": records})


class PlayerStatistics(models.Model):
    """What a player did in a game."""

    id = models.BigAutoField(primary_key=True)
    player_id = models.TextField(db_collation="C")
    game_id = models.TextField(db_collation="C")
    total_events = models.BigIntegerField(default=0)
    event_breakdown = models.JSONField(default=dict, help_text='{"<event type>": count}')
    first_event_at = models.DateTimeField()
    last_event_at = models.DateTimeField()
    version = models.BigIntegerField(default=0, help_text="Grows with each change; orders Redis")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    objects = PlayerStatisticsQuerySet.as_manager()

    class Meta:
        db_table = "player_statistics"
        verbose_name_plural = "player statistics"
        constraints = (
            models.UniqueConstraint(
                name="player_statistics_player_game", fields=("player_id", "game_id")
            ),
        )
        indexes = (
            # Of columns that never change: an index of a total would be written at each event,
            # and would keep PostgreSQL from updating a row within its page.
            models.Index(name="player_statistics_game", fields=("game_id", "-id")),
        )

    def __str__(self) -> str:
        return f"{self.player_id} in {self.game_id}"
