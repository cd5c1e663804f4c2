"""What could not be applied, with its cause, as it came."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class DeadLetter(models.Model):
    """One event that one consumer could not apply, or one message that is no event."""

    class State(models.TextChoices):
        OPEN = "open"
        REPLAYING = "replaying"
        APPLIED = "applied"
        DISCARDED = "discarded"

    id = models.BigAutoField(primary_key=True)
    original_event = models.JSONField(
        help_text="The event; where the message is no JSON, its readable text as a JSON string"
    )
    error_message = models.TextField()
    consumer_service = models.TextField(db_collation="C")
    cause = models.TextField(db_collation="C", help_text="Code of the rule or SQLSTATE")
    exception = models.TextField(default="", help_text="Type of the exception, if there was one")
    state = models.TextField(choices=State.choices, default=State.OPEN, db_default=State.OPEN)
    event_id = models.UUIDField(null=True)
    event_type = models.TextField(default="", db_collation="C")
    player_id = models.TextField(default="", db_collation="C")
    game_id = models.TextField(default="", db_collation="C")
    topic = models.TextField()
    topic_id = models.UUIDField()
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    key = models.BinaryField(null=True)
    headers = models.JSONField(default=list, help_text="[[name, base64 of the value], ...]")
    raw = models.BinaryField(help_text="The message's bytes, untouched")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "dlq_events"
        constraints = (
            models.UniqueConstraint(
                name="dlq_events_once_per_coordinates",
                fields=("consumer_service", "topic_id", "partition", "offset"),
            ),
            # A client's retry of an event that failed already adds no second dead letter.
            models.UniqueConstraint(
                name="dlq_events_once_per_event",
                fields=("consumer_service", "event_id"),
                condition=models.Q(event_id__isnull=False),
            ),
        )
        indexes = (
            models.Index(
                name="dlq_events_open",
                fields=("consumer_service", "-id"),
                condition=models.Q(state="open"),
            ),
            # Any state, and where the consumer is named too, in the list's order.
            models.Index(name="dlq_events_state", fields=("state", "consumer_service", "-id")),
            models.Index(name="dlq_events_cause", fields=("cause", "-id")),
            models.Index(name="dlq_events_player", fields=("player_id", "-id")),
            models.Index(name="dlq_events_game", fields=("game_id", "-id")),
            models.Index(name="dlq_events_event", fields=("event_id",)),
        )

    def __str__(self) -> str:
        return f"{self.consumer_service}: {self.cause} at {self.partition}/{self.offset}"
