"""Builds of boards: what is to be built, by whose word, and what became of it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class BoardBuild(models.Model):
    """A rebuild of boards, or a change of one; while it is `building`, consumers note claims."""

    ASKED, BUILDING, READY = "asked", "building", "ready"
    SWITCHED, DONE, CANCELLED, FAILED = "switched", "done", "cancelled", "failed"

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(null=True, db_collation="C")  # noqa: DJ001  absent: all games
    board = models.TextField(null=True, db_collation="C")  # noqa: DJ001  absent: all boards
    definition = models.TextField(
        default="", help_text="JSON, as it is declared over HTTP; empty: as the boards are"
    )
    version = models.IntegerField(
        null=True, help_text="Of the board that it changes; 0: there was none"
    )
    state = models.TextField()
    approved = models.BooleanField(default=False, help_text="It is switched once it is built")
    asked_by = models.TextField(default="")
    reason = models.TextField(default="")
    error = models.TextField(default="")
    backend_pid = models.IntegerField(null=True, help_text="Of the builder's session in PostgreSQL")
    events = models.BigIntegerField(null=True, help_text="Read from the log")
    refused = models.BigIntegerField(null=True, help_text="Of them, with no score that it takes")
    changed = models.BigIntegerField(null=True, help_text="Entries that differ from those before")
    report = models.JSONField(null=True, help_text="How the board differs; scores are strings")
    stale = models.JSONField(default=list, help_text="Periods that lost entries, for Redis")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    switched_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "leaderboards"
        db_table = "board_builds"
        constraints = (
            models.UniqueConstraint(
                name="board_builds_open", fields=("state",), condition=models.Q(state="building")
            ),
            models.UniqueConstraint(
                name="board_builds_pending",
                fields=("game_id", "board"),
                condition=models.Q(state__in=("asked", "building", "ready"))
                & ~models.Q(definition=""),
            ),
        )

    def __str__(self) -> str:
        return f"build {self.pk} of {self.board or 'all boards'} of {self.game_id or 'all games'}"


class BoardBuildEvent(models.Model):
    """An event that was claimed since the build was opened, and that the builder has not read."""

    event_id = models.UUIDField(primary_key=True)

    class Meta:
        app_label = "leaderboards"
        db_table = "board_build_events"

    def __str__(self) -> str:
        return str(self.event_id)
