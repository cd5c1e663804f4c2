"""What Kafka retains below the low watermark, with the log and the dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import Message
from django.db import transaction

from apps.contract.chunk import Record, Refused
from apps.contract.queues import Consumer
from apps.contract.reading import read
from apps.operations.steps import step
from apps.reconcile import given, letters, page, redrive, selectors
from apps.reconcile.findings import Finding, Kind, Part
from apps.reconcile.job import Job
from apps.reconcile.letters import Place
from apps.reconcile.topic import Topic

_REPLACE: Final = "replace the row by Kafka's message"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The offsets of a partition that are compared: retained, and applied by all."""

    place: Place
    first: int
    until: int


def compare(job: Job) -> None:
    """Name, and mend where asked, what Kafka has and the log has not. Raises KafkaUnavailable.

    Below the low watermark nothing is in flight: one look is enough.
    """
    topic = job.kafka()
    ranges = judged(job, topic)
    page.create()
    suspects: dict[str, tuple[Place, int]] = {}
    named: set[str] = set()
    with step(job.display, "Kafka and the log", sum(r.until - r.first for r in ranges)):
        for part in ranges:
            for messages in topic.pages(part.place.partition, part.first, part.until):
                _judge(job, part.place, messages, suspects, named)
                job.display.advance(len(messages))
    _confirm(job, suspects)


def judged(job: Job, topic: Topic) -> list[Judged]:
    """The ranges to compare; what cannot be judged is noted."""
    low = selectors.low_watermarks(topic.id)
    since = topic.offsets_at(job.scope.since) if job.scope.since else {}
    ranges = []
    for number, held in topic.retained().items():
        until = min(low.get(number, held.low), held.high)
        first = held.low
        if job.scope.since:
            first = max(first, since[number]) if since[number] >= 0 else until
        elif held.low > 0:
            job.report.note(
                f"partition {number}: Kafka no longer has the offsets before {held.low:,};"
                " of them only the log, the ledgers and the totals were compared"
            )
        place = Place(topic=topic.name, topic_id=topic.id, partition=number)
        ranges.append(Judged(place=place, first=first, until=max(first, until)))
    return ranges


def items(place: Place, messages: Iterable[Message]) -> Iterator[Record | Refused]:
    """The messages as the bridge reads them."""
    now = datetime.now(UTC)
    for message in messages:
        yield read(message, place.topic_id, now)


def find(job: Job, event_ids: Iterable[str]) -> dict[str, list[tuple[Place, Record]]]:
    """Where Kafka retains these events, applied or not, in the order of their partitions."""
    wanted, topic = set(event_ids), job.kafka()
    found: dict[str, list[tuple[Place, Record]]] = {}
    if not wanted:
        return found
    retained = topic.retained()
    with step(job.display, "looking events up in Kafka", sum(r.high for r in retained.values())):
        for number, held in retained.items():
            place = Place(topic=topic.name, topic_id=topic.id, partition=number)
            for messages in topic.pages(number, held.low, held.high):
                for item in items(place, messages):
                    if isinstance(item, Record) and item.event_id in wanted:
                        found.setdefault(item.event_id, []).append((place, item))
                job.display.advance(len(messages))
    return found


def _judge(
    job: Job,
    place: Place,
    messages: list[Message],
    suspects: dict[str, tuple[Place, int]],
    named: set[str],
) -> None:
    read_items = list(items(place, messages))
    records = {i.offset: i for i in read_items if isinstance(i, Record) and job.scope.holds(i)}
    refused = [item for item in read_items if isinstance(item, Refused)]
    missing = {}
    for offset, absent in _differing(place, records):
        record = records[offset]
        if not absent:
            suspects[record.event_id] = (place, offset)
        elif record.event_id not in named:
            named.add(record.event_id)
            missing[record.event_id] = record
    if missing and job.repair:
        redrive.append(place, list(missing.values()))
    for record in missing.values():
        job.report.add(_missing(place, record, repaired=job.repair))
    if refused and job.scope.every_player:
        for finding in letters.compare(place, refused, repair=job.repair):
            job.report.add(finding)


def _differing(place: Place, records: dict[int, Record]) -> list[tuple[int, bool]]:
    """As `page.differing`; of those, records whose edit went to the log are put in place."""
    rows: list[tuple[int, bool]] = []
    asked = list(records.values())
    for _ in range(2):
        with transaction.atomic():
            page.fill(asked)
            rows = page.differing(str(place.topic_id), place.partition)
        before = [records[offset] for offset, _ in rows]
        asked = given.instead_of(Consumer.LOGGING, before)
        if asked == before:
            break
        records |= {record.offset: record for record in asked}
    return rows


def _missing(place: Place, record: Record, *, repaired: bool) -> Finding:
    return Finding(
        part=Part.KAFKA,
        kind=Kind.NOT_IN_LOG,
        consumer=Consumer.LOGGING,
        event_id=record.event_id,
        where=f"{place.topic}/{place.partition}/{record.offset}",
        expected=f"{record.event_type} of {record.player_id} in the log or the dead letters",
        found="nothing",
        remedy="apply it again from Kafka",
        repaired=repaired,
    )


def _confirm(job: Job, suspects: dict[str, tuple[Place, int]]) -> None:
    """Of ids that lie in Kafka with several contents at one time of acceptance, one may match."""
    for event_id, lying in find(job, suspects).items():
        held = given.instead_of(Consumer.LOGGING, [record for _, record in lying])
        found = list(zip([where for where, _ in lying], held, strict=True))
        with transaction.atomic():
            page.fill(held)
            if page.matched():
                continue
        place, offset = suspects[event_id]
        first = next(record for where, record in found if (where, record.offset) == (place, offset))
        same = [record for record in held if record.ingested_at == first.ingested_at]
        sure = len({_content(record) for record in same}) == 1
        if job.repair and sure:
            redrive.replace(first)
        job.report.add(
            Finding(
                part=Part.KAFKA,
                kind=Kind.LOG_ROW_DIFFERS,
                consumer=Consumer.LOGGING,
                event_id=event_id,
                where=f"{place.topic}/{place.partition}/{offset}",
                expected=f"{first.event_type} of {first.player_id} at {first.timestamp:%FT%TZ}"
                f" with data {bytes(first.data).decode()[:200]}",
                found="a row with another content",
                remedy=_REPLACE if sure else "none: Kafka has it with several contents",
                repaired=job.repair and sure,
            )
        )


def _content(record: Record) -> bytes:
    return repr(
        (record.event_type, record.player_id, record.game_id, record.timestamp, record.session_id)
    ).encode() + bytes(record.data)
