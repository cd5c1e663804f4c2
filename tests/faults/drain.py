"""Whether every consumer is at the end of the topic, says PostgreSQL."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg2
from confluent_kafka import KafkaException

from gamemetrics.stack.programs import QUEUES
from tests.faults.topic import Topic
from tests.rigs.postgres_server import PostgresServer

EVERY = 0.1
_AWAY = (psycopg2.Error, KafkaException)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where one consumer is in one partition, and where that ends."""

    consumer: str
    partition: int
    position: int
    end: int


def places(postgres: PostgresServer, topic: Topic) -> list[Place]:
    """Every consumer's place in every partition. Raises psycopg2.Error, KafkaException."""
    ends, topic_id = topic.ends(), topic.id()
    with postgres.cursor(timeout=5) as cursor:
        cursor.execute(
            "SELECT consumer, partition, next_offset FROM consumer_positions WHERE topic_id = %s",
            [topic_id],
        )
        positions = {(row[0], row[1]): row[2] for row in cursor.fetchall()}
    return [
        Place(
            consumer=queue,
            partition=partition,
            position=positions.get((queue, partition), 0),
            end=end,
        )
        for queue in QUEUES
        for partition, end in ends.items()
    ]


def drain(postgres: PostgresServer, topic: Topic, seconds: float) -> str:
    """Wait until all are at the end; empty where they are, else what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            behind = [p for p in places(postgres, topic) if p.position != p.end]
            seen = ", ".join(map(str, behind))
        except _AWAY as error:
            seen = repr(error)
        if not seen or time.monotonic() >= deadline:
            return seen
        time.sleep(EVERY)
