"""Events to Kafka, confirmed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from django.conf import settings

from apps.contract.envelope import Event, encode
from apps.failpoints.points import Failpoint, reach
from apps.kafka.lookout import Lookout, answers
from apps.kafka.reports import Reports
from apps.kafka.trouble import CUT_OFF, KafkaDenied

# librdkafka gives a record up after this; its report then comes within the wait.
MESSAGE_TIMEOUT_MS: Final = 8_000
CONFIRM_SECONDS: Final = 9.0
# A producer that librdkafka gave up (no ACL to write, above all) is replaced after this.
RENEW_SECONDS: Final = 5.0
PARTITION_BY_KEY: Final = -1


class Publisher(Protocol):
    """Where accepted events go."""

    def publish(self, events: Sequence[Event]) -> list[str | None]:
        """Publish and wait; for each event None where it is confirmed, else why it is not."""

    def ping(self, seconds: float) -> None:
        """Raise KafkaException where no broker answers or the topic is missing, KafkaDenied where
        the broker does not let us in."""


class _Confirmation:
    """The delivery reports of one request.

    `take` is called by the reports' thread alone and `wait` by the request's: each writes a count
    of its own and then reads the other's, so that one of the two sees the last report.
    """

    __slots__ = ("_done", "_expected", "_reported", "denial", "problems")

    def __init__(self, total: int) -> None:
        self._reported = 0
        self._expected = -1
        self._done = threading.Event()
        self.problems: list[str | None] = ["Kafka did not confirm in time"] * total
        self.denial: KafkaError | None = None

    def take(self, index: int, error: KafkaError | None, _: Message) -> None:
        """The report of the event at `index`."""
        if error is None:
            self.problems[index] = None
        else:
            self.problems[index] = error.str()
            if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                self.denial = error
        self._reported += 1
        if self._reported == self._expected:
            self._done.set()

    def wait(self, expected: int) -> None:
        """Wait until `expected` events are reported, but not for ever."""
        self._expected = expected
        if self._reported != expected:
            self._done.wait(CONFIRM_SECONDS)


class KafkaPublisher:
    """An idempotent producer with `acks=all`; a daemon thread serves its delivery reports."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._client, self._topic = client, topic
        self._reports = Reports("web", {"topic": topic})
        self._lookout = Lookout(answers=lambda: answers(client, topic))
        self._producer = self._make()
        threading.Thread(target=self._serve_reports, name="kafka-reports", daemon=True).start()

    def _make(self) -> Producer:
        settings = {
            **self._client,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 2,
            "message.timeout.ms": MESSAGE_TIMEOUT_MS,
            "queue.buffering.max.messages": 200_000,
            "log_level": 3,
            "error_cb": self._reports.take,
        }
        return Producer(settings)

    def _serve_reports(self) -> None:
        while True:
            try:
                self._producer.poll(0.5)
            except (KafkaException, SystemError) as error:
                self._renew(error)
            if self._lookout.is_lost(time.monotonic()):
                self._reports.note(CUT_OFF, time.monotonic())
                self._replace()

    def _renew(self, error: Exception) -> None:
        """Take a new producer in the place of one with a fatal error, which never sends again."""
        # confluent-kafka calls error_cb of a fatal error with that error already raised, which
        # Python then tells as a SystemError caused by it.
        fatal = error if isinstance(error, KafkaException) else error.__cause__
        if not isinstance(fatal, KafkaException):
            raise error
        self._reports.take(fatal.args[0])
        self._replace()

    def _replace(self) -> None:
        """What the old one held is unconfirmed: written or not, a retry with its id is safe."""
        old, until = self._producer, time.monotonic() + RENEW_SECONDS
        old.purge()
        while time.monotonic() < until:
            with suppress(KafkaException, SystemError):
                old.poll(0.5)  # the reports of what was purged
        self._producer = self._make()
        self._lookout.works()

    def publish(self, events: Sequence[Event]) -> list[str | None]:
        confirmation = _Confirmation(len(events))
        expected = 0
        for index, event in enumerate(events):
            try:
                # By place: naming the arguments costs a tenth of the call. Text becomes UTF-8.
                self._producer.produce(
                    self._topic,
                    encode(event),
                    event.player_id,
                    PARTITION_BY_KEY,
                    partial(confirmation.take, index),
                    None,
                    0,  # now
                    [("event_type", event.event_type), ("event_id", event.event_id)],
                )
                expected += 1
            except BufferError:
                confirmation.problems[index] = "the producer's queue is full"
            except KafkaException as error:
                confirmation.problems[index] = str(error)
        reach(Failpoint.API_PRODUCED)
        confirmation.wait(expected)
        reach(Failpoint.API_CONFIRMED)
        problems = list(confirmation.problems)
        if confirmation.denial is not None:
            self._reports.take(confirmation.denial)
        elif not any(problems):
            self._reports.works()
            self._lookout.works()
        elif all(problems):
            self._lookout.fails(time.monotonic())
        return problems

    def ping(self, seconds: float) -> None:
        problem: KafkaException | None = None
        try:
            topic = self._producer.list_topics(self._topic, timeout=seconds).topics[self._topic]
            if topic.error is not None:
                self._reports.take(topic.error)
                problem = KafkaException(topic.error)
            self._lookout.works()
        except KafkaException as error:
            self._lookout.fails(time.monotonic())
            problem = error
        denial = self._reports.denial(time.monotonic())
        if denial is not None:
            raise KafkaDenied(denial.remedy) from problem
        if problem is not None:
            raise problem


@lru_cache(maxsize=1)
def publisher() -> Publisher:
    """This process's publisher, made at its first use: a client does not survive a fork."""
    return KafkaPublisher(settings.KAFKA_CLIENT, settings.KAFKA_TOPIC)
