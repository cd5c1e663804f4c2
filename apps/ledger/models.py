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
