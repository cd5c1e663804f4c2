"""Declared aggregates: their definitions, and what players have of them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from apps.database.fields import ExactDecimalField
from apps.stats.aggregates import Definition, Operator


class StatDefinition(models.Model):
    """One version of an aggregate's definition; of each aggregate one is current.

    Rows are added, and cease to be current; nothing else changes in them.
    """

    id = models.BigAutoField(primary_key=True)
    game_id = models.TextField(db_collation="C")
    name = models.TextField(db_collation="C")
    version = models.IntegerField()
    current = models.BooleanField(help_text="In force")
    event_types = ArrayField(models.TextField())
    pointer = models.TextField(help_text="JSON Pointer into data, as /damage")
    path = ArrayField(models.TextField(), help_text="The pointer's steps")
    guarded = ArrayField(
        models.IntegerField(), help_text="Steps to where an array has nothing (0047)"
    )
    operator = models.TextField(choices=[(o.value, o.value) for o in Operator])
    changed_by = models.TextField()
    reason = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "stat_definitions"
        verbose_name = "aggregate"
        permissions = (("declare_aggregate", "Can declare aggregates"),)
        constraints = (
            models.UniqueConstraint(
                name="stat_definitions_key", fields=("game_id", "name", "version")
            ),
            models.UniqueConstraint(
                name="stat_definitions_current",
                fields=("game_id", "name"),
                condition=models.Q(current=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.game_id}/{self.name}, version {self.version}"

    @classmethod
    def put_in_force(cls, definition: Definition, version: int, *, by: str, reason: str) -> None:
        """Instead of the version before, in the caller's transaction.

        What players have must be of this definition when it ends.
        """
        of_name = cls._default_manager.filter(game_id=definition.game_id, name=definition.name)
        of_name.filter(current=True).update(current=False)
        cls._default_manager.create(
            game_id=definition.game_id,
            name=definition.name,
            version=version,
            current=True,
            event_types=list(definition.event_types),
            pointer=definition.pointer,
            path=definition.path,
            guarded=definition.guarded,
            operator=definition.operator.value,
            changed_by=by,
            reason=reason,
        )

    @property
    def definition(self) -> Definition:
        """The rules of this version."""
        return Definition(
            game_id=self.game_id,
            name=self.name,
            event_types=tuple(self.event_types),
            pointer=self.pointer,
            operator=Operator(self.operator),
        )


class PlayerAggregate(models.Model):
    """What a player's events came to in an aggregate, on one day of UTC or in all time.

    The operator is that of the definition in force: whoever changes it writes all rows anew.
    """

    pk = models.CompositePrimaryKey("game_id", "player_id", "name", "day")
    game_id = models.TextField(db_collation="C")
    player_id = models.TextField(db_collation="C")
    name = models.TextField(db_collation="C")
    day = models.DateField(help_text="-infinity: all time")
    operator = models.TextField()
    value = ExactDecimalField(null=True, help_text="None: only skipped so far")
    last_at = models.DateTimeField(null=True, help_text="Of the value of `last`")
    last_event_id = models.UUIDField(null=True)
    counted = models.BigIntegerField(help_text="Events that gave a number")
    skipped = models.BigIntegerField(help_text="Events of the types that gave none")
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "player_aggregates"

    def __str__(self) -> str:
        return f"{self.name} of {self.player_id} in {self.game_id} on {self.day}"
