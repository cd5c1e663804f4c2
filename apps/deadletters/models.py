"""What could not be applied, with its cause, as it came."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class DeadLetterJob(models.Model):
    """A replay or discard of all open letters that match a filter, at a bounded rate.

    The dispatcher walks the ids from `cursor` to `max_id`; letters that come later are not part.
    """

    class Action(models.TextChoices):
        REPLAY = "replay"
        DISCARD = "discard"

    class State(models.TextChoices):
        RUNNING = "running"
        PAUSED = "paused"
        CANCELLED = "cancelled"
        DONE = "done"

    id = models.BigAutoField(primary_key=True)
    action = models.TextField(choices=Action.choices)
    filter = models.JSONField(default=dict, help_text="Column -> value; created in [from, until)")
    reason = models.TextField(default="", db_default="")
    per_second = models.IntegerField(help_text="Letters released a second at most")
    state = models.TextField(choices=State.choices, default=State.RUNNING)
    total = models.BigIntegerField(help_text="Letters that matched when the job was made")
    max_id = models.BigIntegerField(help_text="The newest letter that can be part")
    cursor = models.BigIntegerField(default=0, help_text="Every letter up to here was looked at")
    released = models.BigIntegerField(default=0, help_text="Letters that were open when reached")
    paced_at = models.DateTimeField(help_text="Up to here the rate is used")
    created_by = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "dead_letter_jobs"
        verbose_name = "replay job"
        indexes = (
            models.Index(
                name="dead_letter_jobs_running", fields=("id",), condition=models.Q(state="running")
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} job {self.pk}, {self.state}"


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

    edited = models.BinaryField(null=True, help_text="The event that a replay applies instead")
    edited_by = models.TextField(default="", db_default="")
    edited_at = models.DateTimeField(null=True)

    replays = models.IntegerField(default=0, db_default=0, help_text="How often it was replayed")
    last_replayed_at = models.DateTimeField(null=True)
    last_replayed_by = models.TextField(default="", db_default="")
    job = models.ForeignKey(
        DeadLetterJob, null=True, on_delete=models.PROTECT, related_name="letters", db_index=False
    )
    next_retry_at = models.DateTimeField(null=True, help_text="When it replays without being asked")
    next_send_at = models.DateTimeField(null=True, help_text="When it goes to the queue (again)")
    sends = models.IntegerField(default=0, db_default=0, help_text="Since it was released")
    unfinished = models.IntegerField(
        default=0, db_default=0, help_text="Tries since its release that a worker did not survive"
    )
    committed_at = models.DateTimeField(
        null=True, help_text="Its effect is committed; while replaying, Redis may lack it"
    )
    duplicate = models.BooleanField(
        default=False, db_default=False, help_text="The event was applied before: no effect"
    )
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(default="", db_default="")

    class Meta:
        db_table = "dlq_events"
        permissions = (
            ("replay_deadletter", "Can replay dead letters"),
            ("edit_deadletter", "Can edit the event of a dead letter"),
            ("discard_deadletter", "Can discard and reopen dead letters"),
        )
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
            # The dispatcher looks four times a second: nothing to do must cost nothing.
            models.Index(
                name="dlq_events_to_send",
                fields=("next_send_at",),
                condition=models.Q(state="replaying"),
            ),
            models.Index(
                name="dlq_events_to_retry",
                fields=("next_retry_at",),
                condition=models.Q(state="open", next_retry_at__isnull=False),
            ),
            # Few: what compares a projection with the log looks at all of them for each game.
            models.Index(
                name="dlq_events_edited",
                fields=("event_id",),
                condition=models.Q(edited__isnull=False),
            ),
            models.Index(
                name="dlq_events_job",
                fields=("job", "-id"),
                include=("state",),
                condition=models.Q(job__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.consumer_service}: {self.cause} at {self.partition}/{self.offset}"


class DeadLetterAction(models.Model):
    """What was done with a letter or a job, by whom and when; rows are only ever added."""

    id = models.BigAutoField(primary_key=True)
    letter = models.ForeignKey(
        DeadLetter, null=True, on_delete=models.PROTECT, related_name="actions", db_index=False
    )
    job = models.ForeignKey(
        DeadLetterJob, null=True, on_delete=models.PROTECT, related_name="actions", db_index=False
    )
    action = models.TextField()
    by = models.TextField()
    at = models.DateTimeField(db_default=Now())
    detail = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))

    class Meta:
        db_table = "dead_letter_actions"
        indexes = (
            models.Index(
                name="dead_letter_actions_letter",
                fields=("letter", "id"),
                condition=models.Q(letter__isnull=False),
            ),
            models.Index(
                name="dead_letter_actions_job",
                fields=("job", "id"),
                condition=models.Q(job__isnull=False, letter__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} by {self.by}"
