"""Boards as data, and the entries of every board: the truth of all ranks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models.functions import Now

from apps.database.fields import ExactDecimalField
from apps.database.prepared import array
from apps.leaderboards import upserts
from apps.leaderboards.build_models import BoardBuild as BoardBuild
from apps.leaderboards.build_models import BoardBuildEvent as BoardBuildEvent
from apps.leaderboards.decision_models import Attempts as Attempts
from apps.leaderboards.decision_models import Decision as Decision
from apps.leaderboards.decision_models import HiddenPlayer as HiddenPlayer
from apps.leaderboards.decision_models import ModerationAct as ModerationAct
from apps.leaderboards.decision_models import Tombstone as Tombstone
from apps.leaderboards.folding import Rows
from apps.leaderboards.rules import Operator, Order
from apps.ledger.models import AppliedEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The ids that nobody claimed before, and the stamp of the boards that count them."""

    stamp: str | None
    claimed: frozenset[str]


class LeaderboardsAppliedEvent(AppliedEvent):
    """The applied-event ledger of the leaderboards consumer.

    Events that no board counts are not in it: they have no effect that could be repeated.
    """

    class Meta(AppliedEvent.Meta):
        abstract = False
        db_table = "leaderboards_applied_events"

    @classmethod
    def claim(cls, event_ids: Iterable[str]) -> Claim:
        """Claim the ids in this transaction, in which no board changes any more."""
        wanted = sorted(set(event_ids))
        values = {"ids": array(wanted), "count": len(wanted)}
        ((stamp, claimed),) = upserts.CLAIM.fetch(values)
        return Claim(stamp=stamp, claimed=frozenset(wanted if claimed is None else claimed))

    @classmethod
    def release(cls, event_ids: Iterable[str]) -> None:
        """Give back claims of this transaction, of events that turned out to be refused."""
        with connection.cursor() as cursor:
            cursor.execute(upserts.RELEASE, {"ids": sorted(event_ids)})


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
    where = models.TextField(
        default="", db_default="", help_text="Canonical JSON: pointer into data -> conditions"
    )
    season = models.TextField(
        default="", db_default="", help_text="Cron expression in the time zone, as 0 4 1 * *"
    )
    bounds = models.TextField(
        default="", db_default="", help_text="Canonical JSON: what is held in quarantine"
    )
    version = models.IntegerField(default=1, db_default=1, help_text="Of its definition")
    generation = models.IntegerField(
        default=0, db_default=0, help_text="Of its entries; its orders in Redis bear it"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "boards"
        permissions = (("declare_board", "Can declare boards"),)
        constraints = (
            models.UniqueConstraint(name="boards_game_name", fields=("game_id", "name")),
        )

    def __str__(self) -> str:
        return f"{self.game_id}/{self.name}"


class BoardVersion(models.Model):
    """How a board was defined from some time on, by whom and why; rows are only ever added."""

    id = models.BigAutoField(primary_key=True)
    board = models.ForeignKey(Board, on_delete=models.CASCADE, db_index=False)
    version = models.IntegerField()
    definition = models.JSONField(help_text="As it is declared over HTTP")
    changed_by = models.TextField()
    reason = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "board_versions"
        constraints = (
            models.UniqueConstraint(name="board_versions_key", fields=("board", "version")),
        )

    def __str__(self) -> str:
        return f"version {self.version} of board {self.board_id}"

    @classmethod
    def record(cls, board: Board, definition: str, *, by: str, reason: str) -> None:
        """Keep the board's present version; `definition` is JSON text.

        As text: Django would make floats of its decimals.
        """
        with connection.cursor() as cursor:
            cursor.execute(upserts.VERSION, [board.pk, board.version, definition, by, reason])


class BoardsStamp(models.Model):
    """One row, whose stamp a trigger of `boards` replaces with every change, by hand included.

    A random one: a count would come to the same value again after a failover that lost a change.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    stamp = models.UUIDField()

    class Meta:
        db_table = "boards_stamp"

    def __str__(self) -> str:
        return str(self.stamp)


class EntryQuerySet(models.QuerySet["Entry"]):
    """Set-based writes."""

    def merge(self, operator: Operator, rows: Rows) -> list[tuple[Any, ...]]:
        """Merge the deltas into the entries of their scopes; of those that are to be told, the
        changed rows, in no order.

        Times are text as PostgreSQL writes it. Raises what PostgreSQL raises.
        """
        if not rows.deltas:
            return []
        values = {"deltas": upserts.as_json(rows.deltas), "scopes": upserts.as_json(rows.scopes)}
        return upserts.MERGE[operator].fetch(values)


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
    event_id = models.UUIDField(null=True, help_text="The event of a latest score; else empty")
    version = models.BigIntegerField(default=0, help_text="Grows with each change; orders Redis")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    objects = EntryQuerySet.as_manager()

    class Meta:
        db_table = "leaderboards"
        verbose_name_plural = "entries"
        # Nothing that an update changes is in an index, or it would write all of them anew; and
        # the player comes first, so that their periods lie on one page.
        constraints = (
            models.UniqueConstraint(
                name="leaderboards_entry",
                fields=("player_id", "game_id", "board", "period", "period_start"),
            ),
        )
        indexes = (
            models.Index(
                name="leaderboards_scope",
                fields=("game_id", "board", "period", "period_start", "id"),
            ),
        )

    def __str__(self) -> str:
        return f"{self.player_id} on {self.game_id}/{self.board} ({self.period})"
