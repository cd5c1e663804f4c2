"""What people and rules decided about scores: facts that every recount obeys."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from apps.leaderboards.fields import ExactDecimalField


class Decision(models.Model):
    """A score that counts, or does not, by decision: at most one of an event on a board.

    Held and removed scores do not count; a released one counts whatever the bounds say.
    """

    HELD, RELEASED, REMOVED = "held", "released", "removed"
    UNCOUNTED = (HELD, REMOVED)

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    board = models.TextField(db_collation="C")
    event_id = models.UUIDField()
    player_id = models.TextField(db_collation="C")
    event_timestamp = models.DateTimeField()
    score = ExactDecimalField()
    rule = models.TextField(help_text="Which bound held it; removed where a person did at once")
    detail = models.TextField(default="", db_default="")
    state = models.TextField(choices=[(s, s) for s in (HELD, RELEASED, REMOVED)])
    board_version = models.IntegerField(help_text="Of the definition; 0 of the default board")
    created_at = models.DateTimeField(db_default=Now())
    decided_by = models.TextField(default="", db_default="")
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(default="", db_default="")

    class Meta:
        db_table = "score_decisions"
        permissions = (("moderate", "Can hide players, and release and remove scores"),)
        constraints = (
            models.UniqueConstraint(
                name="score_decisions_key", fields=("game_id", "board", "event_id")
            ),
        )
        indexes = (
            models.Index(
                name="score_decisions_player", fields=("game_id", "board", "player_id", "id")
            ),
            models.Index(name="score_decisions_game", fields=("game_id", "state", "id")),
            models.Index(name="score_decisions_state", fields=("state", "id")),
        )

    def __str__(self) -> str:
        return f"{self.state} score of {self.player_id} on {self.game_id}/{self.board}"


class HiddenPlayer(models.Model):
    """A player who has no entries on a board, or on any board of a game, while the row is there."""

    EVERY_BOARD = ""

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    board = models.TextField(db_collation="C", help_text="Empty: every board of the game")
    player_id = models.TextField(db_collation="C")
    hidden_by = models.TextField()
    hidden_at = models.DateTimeField(db_default=Now())
    reason = models.TextField()

    class Meta:
        db_table = "hidden_players"
        constraints = (
            models.UniqueConstraint(
                name="hidden_players_key", fields=("game_id", "player_id", "board")
            ),
        )

    def __str__(self) -> str:
        return f"{self.player_id} hidden in {self.game_id}/{self.board}"


class ModerationAct(models.Model):
    """One thing that somebody did to a player or a score; rows are only ever added."""

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    board = models.TextField(db_collation="C")
    player_id = models.TextField(db_collation="C")
    event_id = models.UUIDField(null=True)
    action = models.TextField(help_text="hide, unhide, remove, release, restore")
    before = models.TextField(help_text="The decision's state before; empty: there was none")
    after = models.TextField(help_text="And then")
    actor = models.TextField()
    acted_at = models.DateTimeField(db_default=Now())
    reason = models.TextField()
    undo_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT, db_index=False)

    class Meta:
        db_table = "moderation_log"
        indexes = (
            models.Index(name="moderation_log_game", fields=("game_id", "id")),
            models.Index(name="moderation_log_player", fields=("game_id", "player_id", "id")),
        )

    def __str__(self) -> str:
        return f"{self.action} of {self.player_id} on {self.game_id}/{self.board}"


class Tombstone(models.Model):
    """The last version of an entry that an act took away.

    An order in Redis takes no version up to it, however late its writer comes (decision 0050).
    """

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    board = models.TextField(db_collation="C")
    period = models.TextField(db_collation="C")
    period_start = models.DateTimeField()
    player_id = models.TextField(db_collation="C")
    version = models.BigIntegerField()

    class Meta:
        db_table = "board_tombstones"
        constraints = (
            models.UniqueConstraint(
                name="board_tombstones_key",
                fields=("game_id", "board", "period", "period_start", "player_id"),
            ),
        )

    def __str__(self) -> str:
        return f"{self.player_id} gone from {self.game_id}/{self.board} ({self.period})"


class Attempts(models.Model):
    """How many scores of a player a board with bounds has counted in a period.

    The all-time row is there whether the board keeps that period or not, and bears the latest
    score that was counted.
    """

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    board = models.TextField(db_collation="C")
    period = models.TextField(db_collation="C")
    period_start = models.DateTimeField()
    player_id = models.TextField(db_collation="C")
    attempts = models.BigIntegerField()
    last_at = models.DateTimeField(null=True)
    last_event = models.UUIDField(null=True)
    last_score = ExactDecimalField(null=True)

    class Meta:
        db_table = "board_attempts"
        constraints = (
            models.UniqueConstraint(
                name="board_attempts_key",
                fields=("player_id", "game_id", "board", "period", "period_start"),
            ),
        )

    def __str__(self) -> str:
        return f"attempts of {self.player_id} on {self.game_id}/{self.board} ({self.period})"
