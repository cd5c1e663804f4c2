"""Clients of Kafka that lost all brokers and look for none any more.

librdkafka forgets a broker that an answer about the cluster does not name. While all brokers are
fenced (they were paused, or lost their controller) the answer names none, and a client that gets
it then never asks anybody again (librdkafka issue 5301). Only another client helps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import KafkaException, Producer

LOOK_SECONDS: Final = 10.0  # between two looks while a client does not work
# Kafka has answered others for so long: who still looks for it has found it by then. That takes a
# reconnect (10 s at most) and for a bridge the end of its former session (10 s). 20 s were too few
# on a crowded machine, and each member that joins anew in vain is another session to wait for.
LOST_SECONDS: Final = 40.0
ANSWER_SECONDS: Final = 2.0


@dataclass(kw_only=True, slots=True)
class Lookout:
    """Watches one client: is it cut off for good? `answers` asks Kafka by another one."""

    answers: Callable[[], bool]
    _look_at: float | None = field(default=None, init=False)  # monotonic; None: it works
    _answered_at: float | None = field(default=None, init=False)

    def works(self) -> None:
        """The client did what it is for."""
        self._look_at = self._answered_at = None

    def fails(self, now: float) -> None:
        """It did not; `now` is monotonic."""
        if self._look_at is None:
            self._look_at = now + LOOK_SECONDS

    def is_lost(self, now: float) -> bool:
        """Whether only another client helps; asks Kafka now and then while this one fails."""
        if self._look_at is None or now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        if not self.answers():
            self._answered_at = None
            return False
        if self._answered_at is None:
            self._answered_at = now
        return now - self._answered_at >= LOST_SECONDS


def answers(client: Mapping[str, Any], topic: str) -> bool:
    """Whether a new client with these settings finds a broker and the topic; waits 2 s at most."""
    try:
        found = Producer({**client, "log_level": 2}).list_topics(topic, timeout=ANSWER_SECONDS)
    except KafkaException:
        return False
    return bool(found.brokers) and found.topics[topic].error is None
