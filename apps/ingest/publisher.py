"""Events to Kafka, confirmed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from django.conf import settings

from apps.contract.envelope import Event, encode
from apps.failpoints.points import Failpoint, reach

# librdkafka gives a record up after this; its report then comes within the wait.
MESSAGE_TIMEOUT_MS: Final = 8_000
CONFIRM_SECONDS: Final = 9.0


class Publisher(Protocol):
    """Where accepted events go."""

    def publish(self, events: Sequence[Event]) -> list[str | None]:
        """Publish and wait; for each event None where it is confirmed, else why it is not."""

    def ping(self, seconds: float) -> None:
        """Raise KafkaException where no broker answers, or the topic is missing."""


class _Confirmation:
    """The delivery reports of one request."""

    __slots__ = ("_left", "_lock", "done", "problems")

    def __init__(self, total: int) -> None:
        # One more than the events, taken back after the last is enqueued: no early report can
        # end the wait.
        self._left = total + 1
        self._lock = threading.Lock()
        self.problems: list[str | None] = ["Kafka did not confirm in time"] * total
        self.done = threading.Event()

    def report_of(self, index: int) -> Callable[[KafkaError | None, Message], None]:
        def report(error: KafkaError | None, _: Message) -> None:
            self.settle(index, None if error is None else error.str())

        return report

    def settle(self, index: int, problem: str | None) -> None:
        self.problems[index] = problem
        self.release()

    def release(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left:
                return
        self.done.set()


class KafkaPublisher:
    """An idempotent producer with `acks=all`; a daemon thread serves its delivery reports."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                **client,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 2,
                "message.timeout.ms": MESSAGE_TIMEOUT_MS,
                "queue.buffering.max.messages": 200_000,
                "log_level": 3,
            }
        )
        threading.Thread(target=self._serve_reports, name="kafka-reports", daemon=True).start()

    def _serve_reports(self) -> None:
        while True:
            self._producer.poll(0.5)

    def publish(self, events: Sequence[Event]) -> list[str | None]:
        confirmation = _Confirmation(len(events))
        for index, event in enumerate(events):
            try:
                self._producer.produce(
                    self._topic,
                    key=event.player_id.encode(),
                    value=encode(event),
                    headers=[
                        ("event_type", event.event_type.encode()),
                        ("event_id", event.event_id.encode()),
                    ],
                    on_delivery=confirmation.report_of(index),
                )
            except BufferError:
                confirmation.settle(index, "the producer's queue is full")
            except KafkaException as error:
                confirmation.settle(index, str(error))
        confirmation.release()
        reach(Failpoint.API_PRODUCED)
        confirmation.done.wait(CONFIRM_SECONDS)
        reach(Failpoint.API_CONFIRMED)
        return list(confirmation.problems)

    def ping(self, seconds: float) -> None:
        topic = self._producer.list_topics(self._topic, timeout=seconds).topics[self._topic]
        if topic.error is not None:
            raise KafkaException(topic.error)


@lru_cache(maxsize=1)
def publisher() -> Publisher:
    """This process's publisher, made at its first use: a client does not survive a fork."""
    return KafkaPublisher(settings.KAFKA_CLIENT, settings.KAFKA_TOPIC)
