"""A dead letter to replay: ada's seventh event, whose score is no number."""

from __future__ import annotations

from typing import Any

from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter, DeadLetterAction
from apps.ledger.services import apply_chunk
from tests.builders import TOPIC_ID, chunk, event_id, event_text, record
from tests.totals import CONSUMERS

LEADERBOARDS = CONSUMERS[Consumer.LEADERBOARDS]
MENDED = event_text(event_id=event_id(7), data={"score": 25})


def bad_score() -> DeadLetter:
    """The dead letter of ada's score that is no number."""
    apply_chunk(LEADERBOARDS, chunk([record(7, data='{"score": "many"}')]))
    return DeadLetter.objects.get()


def now(letter: DeadLetter) -> DeadLetter:
    return DeadLetter.objects.get(pk=letter.pk)


def told(letter: DeadLetter) -> list[str]:
    return list(
        DeadLetterAction.objects.filter(letter=letter)
        .order_by("id")
        .values_list("action", flat=True)
    )


def fields(consumer: str, **changes: Any) -> dict[str, Any]:
    return {
        "original_event": {},
        "error_message": "",
        "consumer_service": consumer,
        "cause": "XX",
        "event_id": event_id(7),
        "topic": "t",
        "topic_id": TOPIC_ID,
        "partition": 0,
        "offset": 7,
        "raw": MENDED,
        **changes,
    }
