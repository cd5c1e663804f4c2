"""The servers of a test run, as a peer of the benchmark sees them."""

from __future__ import annotations

import json
import resource
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg2
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from apps.contract.envelope import decode_event, encode
from tests.acceptance.streams import stream
from tests.kafka_clients import client_of

PARTITIONS = 3
PATIENCE = 30.0  # seconds


@dataclass(kw_only=True, slots=True)
class SmallRig:
    """A `BenchRig` of the test run's own Kafka and PostgreSQL.

    Two games, and one event in ten comes twice, as from a client that had no answer. Of CPU it
    knows that of the peer's processes alone.
    """

    servers: str
    database: str
    topic: str
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)

    def backlog(self, events: int) -> Mapping[int, tuple[int, int]]:
        if not self.ranges:
            self._make_topic()
            self._produce(events)
        return self.ranges

    def _make_topic(self) -> None:
        admin = AdminClient(client_of(self.servers))
        made = admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)])
        made[self.topic].result(PATIENCE)

    def _produce(self, events: int) -> None:
        offsets: dict[int, list[int]] = {number: [] for number in range(PARTITIONS)}

        def report(error: object, message: Message) -> None:
            assert error is None
            offsets[message.partition() or 0].append(message.offset() or 0)

        producer = Producer({**client_of(self.servers), "queue.buffering.max.messages": 1_000_000})
        for value in messages(events):
            key = json.loads(value)["player_id"]
            producer.produce(self.topic, value, key=key, on_delivery=report)
            producer.poll(0)
        assert producer.flush(PATIENCE) == 0
        self.ranges = {
            number: (min(held, default=0), max(held, default=-1) + 1)
            for number, held in offsets.items()
        }

    @contextmanager
    def peer_database(self, name: str) -> Iterator[str]:
        database = f"peer_{name}_{uuid.uuid4().hex[:8]}"
        with closing(psycopg2.connect(self.database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {database}")
                try:
                    yield urlsplit(self.database)._replace(path=f"/{database}").geturl()
                finally:
                    cursor.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def cpu(self) -> Mapping[str, float]:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"peer": used.ru_utime + used.ru_stime}


def messages(events: int) -> list[bytes]:
    """So many messages as the API writes them to the topic, repeats among them."""
    new = events - events // 10
    sent = [*stream("chess", new // 2), *stream("checkers", new - new // 2)]
    now = datetime.now(UTC)
    values = [
        encode(decode_event(json.dumps(event).encode(), now=now, absent_id="", ingested_at=now))
        for event in sent
    ]
    return values + values[: events // 10]
