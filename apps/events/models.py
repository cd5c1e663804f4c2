"""The append-only log: the truth from which every projection can be rebuilt."""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from apps.database.prepared import Prepared

_APPEND: Final = Prepared(
    "append_events",
    {"records": "json"},
    """
INSERT INTO events (event_id, event_type, player_id, game_id, event_timestamp, ingested_at,
                    event_version, session_id, sent_at, data)
SELECT r.event_id, r.event_type, r.player_id, r.game_id, r."timestamp", r.ingested_at,
       r.event_version, r.session_id, r.sent_at, r.data
  FROM json_to_recordset(%(records)s) AS r(
       "offset" bigint, event_id uuid, event_type text, player_id text, game_id text,
       "timestamp" timestamptz, ingested_at timestamptz, event_version text, session_id text,
       sent_at timestamptz, data jsonb)
 ORDER BY r.event_id, r."offset"
    ON CONFLICT (event_id) DO NOTHING
""",
)


class EventQuerySet(models.QuerySet["Event"]):
    """Set-based writes: the chunk's JSON text goes to PostgreSQL undecoded."""

    def append(self, records: str) -> int:
        """Insert the records that are not in the log yet; how many that were.

        Sorted by id, so that two transactions with common events cannot deadlock. Of equal ids
        the lowest offset wins. Raises what PostgreSQL raises.
        """
        return _APPEND.execute({"records": records})


class Event(models.Model):
    """One player event."""

    event_id = models.UUIDField(primary_key=True)
    event_type = models.TextField(db_collation="C")
    player_id = models.TextField(db_collation="C")
    game_id = models.TextField(db_collation="C")
    event_timestamp = models.DateTimeField(help_text="When it happened, says the game")
    ingested_at = models.DateTimeField(help_text="When the API accepted it")
    event_version = models.TextField(null=True)  # noqa: DJ001  absent is not empty
    session_id = models.TextField(null=True)  # noqa: DJ001  absent is not empty
    sent_at = models.DateTimeField(null=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())

    objects = EventQuerySet.as_manager()

    class Meta:
        db_table = "events"
        indexes = (
            models.Index(name="events_player", fields=("player_id", "event_timestamp")),
            models.Index(name="events_game_type", fields=("game_id", "event_type")),
            # Append-only and in order of arrival: a range of time is a range of pages.
            BrinIndex(name="events_time", fields=("event_timestamp",), autosummarize=True),
            BrinIndex(name="events_ingested", fields=("ingested_at",), autosummarize=True),
        )

    def __str__(self) -> str:
        return f"{self.event_type} of {self.player_id} ({self.event_id})"
