"""What each consumer has applied: the truth that the bridge asks."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class AppliedChunk(models.Model):
    """A chunk that a consumer committed; the row is part of the chunk's own transaction."""

    pk = models.CompositePrimaryKey(
        "consumer", "topic_id", "partition", "first_offset", "next_offset"
    )
    consumer = models.TextField(db_collation="C")
    topic_id = models.UUIDField(help_text="Kafka's id of the topic: a re-created topic is another")
    partition = models.IntegerField()
    first_offset = models.BigIntegerField()
    next_offset = models.BigIntegerField(help_text="One past the chunk's last offset")
    applied = models.IntegerField(default=0)
    duplicates = models.IntegerField(default=0)
    dead = models.IntegerField(default=0)
    cached = models.BooleanField(
        db_default=False, help_text="Redis has what the chunk changed: only then is it done"
    )
    applied_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "applied_chunks"

    def __str__(self) -> str:
        return f"{self.consumer} {self.partition} [{self.first_offset}, {self.next_offset})"


class ConsumerPosition(models.Model):
    """The low watermark of a consumer: everything before `next_offset` is applied."""

    pk = models.CompositePrimaryKey("consumer", "topic_id", "partition")
    consumer = models.TextField(db_collation="C")
    topic_id = models.UUIDField()
    partition = models.IntegerField()
    next_offset = models.BigIntegerField()
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "consumer_positions"

    def __str__(self) -> str:
        return f"{self.consumer} {self.partition} -> {self.next_offset}"


class ChunkAttempt(models.Model):
    """A chunk that came more than once and was not done: perhaps it kills its workers.

    Each attempt is committed before it begins, so that a death leaves it behind. From the third
    on the chunk is applied event by event, and `trying_offset` is the event that is tried.
    """

    pk = models.CompositePrimaryKey(
        "consumer", "topic_id", "partition", "first_offset", "next_offset"
    )
    consumer = models.TextField(db_collation="C")
    topic_id = models.UUIDField()
    partition = models.IntegerField()
    first_offset = models.BigIntegerField()
    next_offset = models.BigIntegerField()
    attempts = models.IntegerField(help_text="Begun and not known to have ended")
    trying_offset = models.BigIntegerField(null=True)
    trying = models.BooleanField(
        db_default=False, help_text="A worker is at that event, or died of it"
    )
    deaths = models.IntegerField(db_default=0, help_text="Of workers, while they tried that event")
    applied = models.IntegerField(db_default=0)
    duplicates = models.IntegerField(db_default=0)
    dead = models.IntegerField(db_default=0)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "chunk_attempts"

    def __str__(self) -> str:
        return f"{self.consumer} {self.partition} [{self.first_offset}, {self.next_offset})"


class ConsumerBreaker(models.Model):
    """Why a consumer was last stopped instead of dead-lettering, and who lets it through."""

    consumer = models.TextField(primary_key=True, db_collation="C")
    tripped_at = models.DateTimeField(null=True)
    reset_at = models.DateTimeField(
        null=True, help_text="A chunk went through again, or an operator reset it"
    )
    cause = models.TextField(default="", db_default="")
    sample = models.JSONField(
        default=list, db_default=[], help_text="Some of the events: partition, offset, id, cause"
    )
    allowed_until = models.DateTimeField(
        null=True, help_text="Until then the consumer dead-letters whatever it cannot apply"
    )
    allowed_by = models.TextField(default="", db_default="")

    class Meta:
        db_table = "consumer_breakers"
        verbose_name = "breaker"

    def __str__(self) -> str:
        return f"breaker of {self.consumer}"

    @property
    def tripped(self) -> bool:
        """Whether it tripped and no chunk went through since."""
        return self.tripped_at is not None and (
            self.reset_at is None or self.reset_at < self.tripped_at
        )


class AppliedEvent(models.Model):
    """An event that a consumer applied; one table a consumer, one row an event, for ever unique.

    The primary key is the claim: only the transaction whose insert returns the id applies it.
    """

    event_id = models.UUIDField(primary_key=True)
    applied_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.event_id)
