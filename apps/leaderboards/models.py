"""Boards as data, and the entries of every board: the truth of all ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models.functions import Now

from apps.leaderboards import upserts
from apps.leaderboards.fields import ExactDecimalField
from apps.leaderboards.rules import Operator, Order
from apps.ledger.models import AppliedEvent


class LeaderboardsAppliedEvent(AppliedEvent):
    """The applied-event ledger of the leaderboards consumer.

    Events that no board counts are not in it: they have no effect that could be repeated.
    """

    class Meta(AppliedEvent.Meta):
        abstract = False
        db_table = "leaderboards_applied_events"

    @classmethod
    def claim(cls, event_ids: Iterable[str]) -> set[str]:
        """Claim the ids in this transaction; those that were not claimed before."""
        with connection.cursor() as cursor:
            cursor.execute(upserts.CLAIM, [sorted(set(event_ids))])
            return {row[0] for row in cursor.fetchall()}

    @classmethod
    def release(cls, event_ids: Iterable[str]) -> None:
        """Give back claims of this transaction, of events that turned out to be refused."""
        with connection.cursor() as cursor:
            cursor.execute(upserts.RELEASE, [sorted(event_ids)])


class Board(models.Model):
    """A declared board of a game; games without one have the default board."""

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    name = models.TextField(db_collation="C")
    event_types = ArrayField(models.TextField())
    score = models.TextField(help_text="JSON Pointer into data, as /points")
    operator = models.TextField(choices=[(o.value, o.value) for o in Operator])
    order = models.TextField(choices=[(o.value, o.value) for o in Order], default=Order.DESC.value)
    periods = ArrayField(models.TextField())
    timezone = models.TextField(default="UTC")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "boards"
        constraints = (
            models.UniqueConstraint(name="boards_game_name", fields=("game_id", "name")),
        )

    def __str__(self) -> str:
        return f"{self.game_id}/{self.name}"


class EntryQuerySet(models.QuerySet["Entry"]):
    """Set-based writes."""

    def merge(self, operator: Operator, rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
        """Merge one delta a key into the entries; the changed rows, in no order.

        A row has game_id, board, period, period_start, player_id, score, rank_key, achieved_at
        and moved. Raises what PostgreSQL raises.
        """
        if not rows:
            return []
        with connection.cursor() as cursor:
            cursor.execute(upserts.MERGE[operator], [upserts.as_json(rows)])
            return list(cursor.fetchall())


class Entry(models.Model):
    """A player's score on a board in one period."""

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    board = models.TextField(db_collation="C")
    period = models.TextField(db_collation="C")
    period_start = models.DateTimeField(help_text="1970-01-01 UTC for alltime")
    player_id = models.TextField(db_collation="C")
    score = ExactDecimalField()
    rank_key = ExactDecimalField(help_text="Lower is better: the score, negated if order is desc")
    achieved_at = models.DateTimeField(help_text="Event time at which the score was reached")
    moved = models.BooleanField(help_text="Some score but zero has come in")
    version = models.BigIntegerField(default=0, help_text="Grows with each change; orders Redis")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    objects = EntryQuerySet.as_manager()

    class Meta:
        db_table = "leaderboards"
        verbose_name_plural = "entries"
        constraints = (
            models.UniqueConstraint(
                name="leaderboards_entry",
                fields=("game_id", "board", "period", "period_start", "player_id"),
            ),
        )
        indexes = (
            models.Index(
                name="leaderboards_rank",
                fields=(
                    *("game_id", "board", "period", "period_start"),
                    *("rank_key", "achieved_at", "player_id"),
                ),
            ),
            models.Index(
                name="leaderboards_alltime_score",
                fields=("-score",),
                condition=models.Q(period="alltime"),
            ),
            models.Index(name="leaderboards_player", fields=("player_id", "game_id")),
        )

    def __str__(self) -> str:
        return f"{self.player_id} on {self.game_id}/{self.board} ({self.period})"
