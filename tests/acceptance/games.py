"""One game on a running stack: what its servers send, what its operators see."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg2
import redis
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.acceptance.streams import Event, Totals
from tests.acceptance.waiting import PATIENCE, until
from tests.services import Stack

BATCH = 100
QUEUES = ("logging", "stats", "leaderboards")
PARTITIONS = 3
_AWAY = (psycopg2.OperationalError, KafkaException, redis.ConnectionError, redis.TimeoutError)


@dataclass(kw_only=True)
class Game:
    """A game of its own, so that a test meets nobody else's events on the shared stack."""

    stack: Stack
    game_id: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        # Never a proxy of the machine; longer than the API waits for Kafka.
        self.http = httpx.Client(base_url=self.stack.url, timeout=30, trust_env=False)

    def event(self, player_id: str = "ada", **more: Any) -> Event:
        """A valid event of this game."""
        return {
            "event_type": "player_score",
            "player_id": player_id,
            "game_id": self.game_id,
            "timestamp": "2024-01-15T10:00:00Z",
            "data": {"score": 10},
            **more,
        }

    def post(self, body: Any) -> httpx.Response:
        return self.http.post("/api/v1/events", json=body)

    def post_bytes(self, content: bytes, **headers: str) -> httpx.Response:
        given = {"Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post("/api/v1/events", content=content, headers=given)

    def send(self, events: Sequence[Event], *, halfway: Callable[[], object] | None = None) -> int:
        """Send in batches, each repeated under the same ids until it is confirmed.

        `halfway` is called between two batches in the middle. Returns how often a batch was
        repeated.
        """
        repeats = 0
        for first in range(0, len(events), BATCH):
            if halfway is not None and first <= len(events) // 2 < first + BATCH:
                halfway()
            repeats += self._confirmed(events[first : first + BATCH])
        return repeats

    def _confirmed(self, batch: Sequence[Event]) -> int:
        repeats, deadline = 0, time.monotonic() + PATIENCE
        while True:
            try:
                answer = self.post(batch)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 202:
                assert answer.json()["accepted"] == len(batch)
                return repeats
            assert answer is None or answer.status_code == 503, answer.text
            assert time.monotonic() < deadline, "a batch was not confirmed"
            repeats += 1
            time.sleep(0.2)  # a client's back-off; nothing is asserted about it

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._database() as cursor:
            cursor.execute(query, parameters)
            return list(cursor.fetchall())

    @contextmanager
    def _database(self) -> Iterator[Any]:
        address = self.stack.env["DATABASE_URL"]
        with (
            closing(psycopg2.connect(address, connect_timeout=5)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SET timezone TO 'UTC'")
            yield cursor

    def totals(self) -> Totals:
        """What the database holds of this game."""
        log = self.sql(
            "SELECT player_id, event_type, count(*) FROM events WHERE game_id = %s GROUP BY 1, 2",
            self.game_id,
        )
        statistics = self.sql(
            "SELECT player_id, total_events, event_breakdown, first_event_at, last_event_at"
            " FROM player_statistics WHERE game_id = %s",
            self.game_id,
        )
        board = self.sql(
            "SELECT period, period_start, player_id, score, achieved_at FROM leaderboards"
            " WHERE game_id = %s AND board = 'default'",
            self.game_id,
        )
        ((dead_letters,),) = self.sql(
            "SELECT count(*) FROM dlq_events WHERE game_id = %s", self.game_id
        )
        return Totals(
            log={(player, kind): n for player, kind, n in log},
            statistics={row[0]: (row[1], row[2], row[3], row[4]) for row in statistics},
            board={(row[0], row[1], row[2]): (row[3], row[4]) for row in board},
            dead_letters=dead_letters,
        )

    def applied(self, *, seconds: float = PATIENCE) -> Totals:
        """The totals once everything that Kafka holds is applied by every consumer."""
        until(self.is_drained, "every consumer is at the end of the topic", seconds=seconds)
        return self.totals()

    def is_drained(self) -> bool:
        """Whether all positions are at the topic's end and the queues are empty."""
        try:
            ends, positions = self._ends(), self._positions()
            return all(
                positions.get((queue, partition), 0) >= end
                for partition, end in ends.items()
                for queue in QUEUES
                if end
            ) and not any(self._depths())
        except _AWAY:
            return False

    def _ends(self) -> dict[int, int]:
        settings = {
            "bootstrap.servers": self.stack.env["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": "acceptance-looks",
            "log_level": 0,
        }
        topic = self.stack.env["KAFKA_TOPIC"]
        with closing(Consumer(settings)) as consumer:
            return {
                partition: consumer.get_watermark_offsets(
                    TopicPartition(topic, partition), timeout=10
                )[1]
                for partition in range(PARTITIONS)
            }

    def _positions(self) -> dict[tuple[str, int], int]:
        rows = self.sql("SELECT consumer, partition, next_offset FROM consumer_positions")
        return {(consumer, partition): following for consumer, partition, following in rows}

    def _depths(self) -> list[Any]:
        address = self.stack.env["CELERY_BROKER_URL"]
        with redis.Redis.from_url(address, socket_timeout=5, retry=None) as broker:
            return [broker.llen(queue) for queue in QUEUES]


def ndjson(events: Sequence[Event]) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in events)
