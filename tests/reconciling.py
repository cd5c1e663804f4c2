"""A topic and what its events became: a consistent state, for tests that damage it."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from apps.contract.chunk import Record, Refused
from apps.contract.queues import Consumer
from apps.contract.reading import read
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from apps.operations.steps import Silent
from apps.reconcile.findings import Finding, Kind, Part, Scope
from apps.reconcile.report import Report
from apps.reconcile.services import reconcile
from apps.reconcile.topic import Topic
from gamemetrics.stack.processes import wait_until
from tests.builders import CAST, chunk, event_id, event_text
from tests.totals import CONSUMERS

PARTITIONS = 2
PATIENCE = 30.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a run told."""

    report: Report
    findings: tuple[Finding, ...]

    def of(self, kind: Kind) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind is kind]

    def ids(self, kind: Kind, consumer: str = "") -> list[str]:
        """Ids named by findings of the kind, of one consumer or of all."""
        return sorted(
            finding.event_id or ""
            for finding in self.of(kind)
            if consumer in {"", finding.consumer}
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """One topic of a real Kafka; the consumers have applied what `apply` found in it."""

    client: dict[str, Any]
    topic: str

    @classmethod
    def new(cls, client: dict[str, Any]) -> World:
        name = f"{os.environ['KAFKA_TOPIC']}.{uuid.uuid4().hex}"
        admin = AdminClient(client)
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(PATIENCE)
        # Made is not known: until the broker has heard of it, a client is told there is none.
        known = wait_until(
            lambda: (
                len(admin.list_topics(name, timeout=PATIENCE).topics[name].partitions) == PARTITIONS
            ),
            seconds=PATIENCE,
        )
        assert known, f"{name} is not known"
        return cls(client=client, topic=name)

    def publish(self, values: Iterable[bytes | None], *, partition: int = 0) -> None:
        producer = Producer({**self.client, "acks": "all"})
        for value in values:
            producer.produce(self.topic, value=value, key=b"ada", partition=partition)
        assert producer.flush(PATIENCE) == 0

    def apply(self, *consumers: Consumer) -> None:
        """Everything in the topic, by these consumers (none: all); positions are at the end."""
        now = datetime.now(UTC)
        with closing(Topic(self.client, self.topic)) as topic:
            for number, held in topic.retained().items():
                items: list[Record | Refused] = [
                    read(message, topic.id, now)
                    for page in topic.pages(number, held.low, held.high)
                    for message in page
                ]
                if items:
                    carried = chunk(
                        [item for item in items if isinstance(item, Record)],
                        partition=number,
                        topic_id=topic.id,
                        refused=[item for item in items if isinstance(item, Refused)],
                    )
                    for name in consumers or tuple(Consumer):
                        apply_chunk(CONSUMERS[name], carried)
                for name in Consumer:
                    ConsumerPosition.objects.update_or_create(
                        consumer=name.value,
                        topic_id=topic.id,
                        partition=number,
                        defaults={"next_offset": held.high},
                    )

    def reconcile(
        self,
        *,
        repair: bool = False,
        scope: Scope | None = None,
        parts: Iterable[Part] = tuple(Part),
    ) -> Told:
        lines = io.BytesIO()
        report = Report(0, lines)
        self.run(report, repair=repair, scope=scope, parts=parts)
        assert not report.unavailable, report.unavailable
        written = lines.getvalue().splitlines()
        return Told(
            report=report,
            findings=tuple(msgspec.json.decode(line, type=Finding) for line in written),
        )

    def run(
        self,
        report: Report,
        *,
        repair: bool = False,
        scope: Scope | None = None,
        parts: Iterable[Part] = tuple(Part),
    ) -> None:
        reconcile(
            self.client,
            self.topic,
            scope=scope or Scope(),
            parts=parts,
            repair=repair,
            report=report,
            display=Silent(),
        )

    def is_clean(self) -> bool:
        return self.reconcile().findings == ()


def scored(numbers: Sequence[int]) -> list[bytes]:
    """Scores of ada, bo and cyd in turn, of 0 to 6 points and under known ids."""
    return [
        event_text(
            event_id=event_id(number),
            player_id=CAST[number % 3],
            timestamp=f"2026-11-20T11:{number % 60:02d}:00Z",
            ingested_at=f"2026-11-20T11:{number % 60:02d}:01.{number:06d}Z",
            data={"score": number % 7},
        )
        for number in numbers
    ]
