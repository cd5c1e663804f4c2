"""Kafka's troubles in the log and in the metrics, without a flood."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import Final

from confluent_kafka import KafkaError

from apps.kafka.trouble import Cause, Trouble, trouble
from apps.monitoring import metrics

logger = logging.getLogger(__name__)
# librdkafka reports every failed connection, up to twenty a second.
REPEAT_SECONDS: Final = 60.0
# It tries again at least every 10 s (reconnect.backoff.max.ms): a trouble that it has not reported
# for so long is over.
FRESH_SECONDS: Final = 15.0


class Reports:
    """The reports of one process's Kafka client: counted all, logged once a minute and remedy."""

    def __init__(self, process: str, places: dict[str, str]) -> None:
        self._process = process
        self._places = places
        self._lock = Lock()
        self._logged: dict[str, float] = {}
        self._denial: tuple[float, Trouble] | None = None

    def take(self, error: KafkaError) -> Trouble:
        """Report an error of the client; it is safe in any thread."""
        return self.note(trouble(error.name(), error.str()), time.monotonic())

    def note(self, found: Trouble, now: float) -> Trouble:
        metrics.errors.labels(consumer=self._process, cause=found.cause.value).inc()
        with self._lock:
            if found.cause is Cause.DENIED:
                self._denial = (now, found)
            due = now >= self._logged.get(found.remedy, -REPEAT_SECONDS) + REPEAT_SECONDS
            if due:
                self._logged[found.remedy] = now
        if due:
            extra = {"remedy": found.remedy, "error": found.told, **self._places}
            if found.cause is Cause.DENIED:
                logger.error("kafka denies access", extra=extra)
            else:
                logger.warning("kafka reports trouble", extra=extra)
        return found

    def denial(self, now: float) -> Trouble | None:
        """Why Kafka does not let us in, if it said so lately."""
        with self._lock:
            if self._denial is None or now > self._denial[0] + FRESH_SECONDS:
                return None
            return self._denial[1]

    def works(self) -> None:
        """The client did what it is for: the next trouble is news."""
        if not self._logged:
            return
        with self._lock:
            denied, self._denial = self._denial is not None, None
            self._logged.clear()
        if denied:
            logger.info("kafka lets us in", extra=self._places)
