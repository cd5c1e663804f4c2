"""Accept events: validate, publish, and say of each what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import uuid_utils

from apps.contract.envelope import Event, EventInvalid, decode_event
from apps.ingest.body import RawEvent
from apps.ingest.publisher import Publisher
from apps.monitoring import metrics

UNAVAILABLE = "kafka_unavailable"


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one event; `code` is empty where it was accepted."""

    event_id: str | None = None
    code: str = ""
    pointer: str = ""
    message: str = ""

    @property
    def accepted(self) -> bool:
        return not self.code

    @property
    def unconfirmed(self) -> bool:
        """Valid, but Kafka did not confirm it: it may or may not take effect, at most once."""
        return self.code == UNAVAILABLE

    def as_result(self, index: int) -> dict[str, Any]:
        """The receipt as an element of a batch answer's `results`."""
        if self.accepted:
            return {"index": index, "status": "accepted", "event_id": self.event_id}
        result: dict[str, Any] = {
            "index": index,
            "status": "unconfirmed" if self.unconfirmed else "rejected",
            "code": self.code,
            "pointer": self.pointer,
            "message": self.message,
        }
        if self.event_id is not None:
            # The id to send it again with: that is what makes the retry safe.
            result["event_id"] = self.event_id
        return result


def accept(raw_events: Sequence[RawEvent], publisher: Publisher, now: datetime) -> list[Receipt]:
    """Publish the valid events; one receipt for each event, in order."""
    metrics.events_received.inc(len(raw_events))
    checked = [_check(raw, now) for raw in raw_events]
    valid = [event for event in checked if isinstance(event, Event)]
    problems = iter(publisher.publish(valid) if valid else ())
    receipts = [
        _confirmed(item, next(problems)) if isinstance(item, Event) else item for item in checked
    ]
    metrics.events_published.inc(sum(receipt.accepted for receipt in receipts))
    for receipt in receipts:
        if not receipt.accepted:
            metrics.events_failed.labels(code=receipt.code).inc()
    return receipts


def _check(raw: RawEvent, now: datetime) -> Event | Receipt:
    try:
        return decode_event(raw, now=now, absent_id=_new_id, ingested_at=now)
    except EventInvalid as error:
        return Receipt(code=error.code, pointer=error.pointer, message=error.message)


def _new_id() -> str:
    return str(uuid_utils.uuid7())


def _confirmed(event: Event, problem: str | None) -> Receipt:
    if problem is None:
        return Receipt(event_id=event.event_id)
    return Receipt(event_id=event.event_id, code=UNAVAILABLE, message=problem)
