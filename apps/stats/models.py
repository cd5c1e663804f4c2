"""Statistics of players and games, folded from events exactly once."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.ledger.models import AppliedEvent
from apps.stats.aggregate_models import PlayerAggregate, StatDefinition
from apps.stats.fold import FOLD

# Django looks for an app's models here.
__all__ = [
    "GameStatistics",
    "GameStatisticsDaily",
    "PlayerAggregate",
    "PlayerSession",
    "PlayerStatistics",
    "PlayerStatisticsDaily",
    "StatDefinition",
    "StatsAppliedEvent",
    "StatsBuild",
    "StatsBuildEvent",
]


class StatsAppliedEvent(AppliedEvent):
    """The applied-event ledger of the stats consumer."""

    class Meta(AppliedEvent.Meta):
        abstract = False
        db_table = "stats_applied_events"


class PlayerStatisticsQuerySet(models.QuerySet["PlayerStatistics"]):
    """Set-based writes."""

    def fold(self, records: str) -> int:
        """Apply the records that this consumer has not applied yet; how many these were."""
        ((applied,),) = FOLD.fetch({"records": records})
        return int(applied)


class PlayerStatistics(models.Model):
    """What a player did in a game."""

    id = models.BigAutoField(primary_key=True)
    player_id = models.TextField(db_collation="C")
    game_id = models.TextField(db_collation="C")
    total_events = models.BigIntegerField(default=0)
    event_breakdown = models.JSONField(default=dict, help_text='{"<event type>": count}')
    first_event_at = models.DateTimeField()
    last_event_at = models.DateTimeField()
    sessions = models.BigIntegerField(default=0, db_default=0, help_text="Different session ids")
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


class PlayerStatisticsDaily(models.Model):
    """What a player did in a game on one day of UTC, by the time of the events."""

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    player_id = models.TextField(db_collation="C")
    day = models.DateField(help_text="Of the event's time, in UTC")
    total_events = models.BigIntegerField()
    event_breakdown = models.JSONField(default=dict, help_text='{"<event type>": count}')
    first_event_at = models.DateTimeField()
    last_event_at = models.DateTimeField()
    sessions = models.BigIntegerField(db_default=0, help_text="Different session ids of that day")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "player_statistics_daily"
        verbose_name = "player's day"
        constraints = (
            # No other index: an active player costs one row a day, and this one finds a game's,
            # a player's and a day's.
            models.UniqueConstraint(
                name="player_statistics_daily_key", fields=("game_id", "player_id", "day")
            ),
        )

    def __str__(self) -> str:
        return f"{self.player_id} in {self.game_id} on {self.day}"


class PlayerSession(models.Model):
    """The ledger of sessions: a row for each day that a session was seen, and one for all time.

    Only the transaction that inserts the row counts the session.
    """

    pk = models.CompositePrimaryKey("game_id", "player_id", "session_id", "day")
    game_id = models.TextField(db_collation="C")
    player_id = models.TextField(db_collation="C")
    session_id = models.TextField(db_collation="C")
    day = models.DateField(help_text="-infinity: all time")

    class Meta:
        db_table = "player_sessions"

    def __str__(self) -> str:
        return f"{self.session_id} of {self.player_id} in {self.game_id}"


class GameStatistics(models.Model):
    """A part of a game's totals of all time; the game's are the sums over its parts."""

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    shard = models.SmallIntegerField(help_text="Writers spread, so that none waits for another")
    total_events = models.BigIntegerField()
    players = models.BigIntegerField(help_text="Players whose first event this part counted")

    class Meta:
        db_table = "game_statistics"
        verbose_name_plural = "game statistics"
        constraints = (
            models.UniqueConstraint(name="game_statistics_key", fields=("game_id", "shard")),
        )

    def __str__(self) -> str:
        return f"{self.game_id}, part {self.shard}"


class GameStatisticsDaily(models.Model):
    """A part of a game's totals of one day of UTC; the day's are the sums over its parts."""

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    day = models.DateField(help_text="Of the events' time, in UTC")
    shard = models.SmallIntegerField(help_text="Writers spread, so that none waits for another")
    total_events = models.BigIntegerField()
    active_players = models.BigIntegerField(
        help_text="Players whose first event of that day this part counted"
    )

    class Meta:
        db_table = "game_statistics_daily"
        verbose_name = "game's day"
        constraints = (
            models.UniqueConstraint(
                name="game_statistics_daily_key", fields=("game_id", "day", "shard")
            ),
        )

    def __str__(self) -> str:
        return f"{self.game_id} on {self.day}, part {self.shard}"


class StatsBuild(models.Model):
    """A rebuild of statistics: while it is `building`, consumers note what they claim."""

    BUILDING, SWITCHED, DONE, FAILED = "building", "switched", "done", "failed"

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(null=True, db_collation="C")  # noqa: DJ001  absent: all games
    state = models.TextField()
    backend_pid = models.IntegerField(help_text="Of the builder's session in PostgreSQL")
    events = models.BigIntegerField(null=True)
    changed = models.BigIntegerField(null=True, help_text="Players whose row was another one")
    started_at = models.DateTimeField(db_default=Now())
    switched_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "stats_builds"
        constraints = (
            models.UniqueConstraint(
                name="stats_builds_open", fields=("state",), condition=models.Q(state="building")
            ),
        )

    def __str__(self) -> str:
        return f"rebuild {self.pk} of {self.game_id or 'all games'}"


class StatsBuildEvent(models.Model):
    """An event that a consumer claimed since the build was opened, and that it has not read."""

    event_id = models.UUIDField(primary_key=True)

    class Meta:
        db_table = "stats_build_events"

    def __str__(self) -> str:
        return str(self.event_id)
