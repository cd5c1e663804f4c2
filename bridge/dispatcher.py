"""Dead letters to the queues, and again until PostgreSQL says that they are done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from apps.contract.queues import Consumer
from apps.monitoring import metrics
from bridge.courier import Courier, CourierUnavailable
from bridge.replays import Replays, ReplaysUnavailable, ToSend

logger = logging.getLogger(__name__)

INTERVAL: Final = 0.25  # seconds between two looks
RETRY_SECONDS: Final = 5.0
MOST_A_PASS: Final = 250  # letters
A_MESSAGE: Final = 50  # letters
# What one pass may spend on sending; what is left waits for its lease.
SEND_SECONDS: Final = 0.1


class Dispatcher:
    """A duty of the bridge's loop. Any number of bridges share it: PostgreSQL gives each letter
    to one of them."""

    def __init__(
        self, replays: Replays, courier: Courier, *, clock: Callable[[], datetime]
    ) -> None:
        self._replays = replays
        self._courier = courier
        self._clock = clock
        self._due = 0.0

    def step(self, now: float) -> None:
        """One look, if it is time; `now` is monotonic."""
        if now < self._due:
            return
        self._due = now + INTERVAL
        try:
            self._look(self._clock())
        except (ReplaysUnavailable, CourierUnavailable) as error:
            # What was released stays so, and what was not sent comes again after its lease.
            self._due = now + RETRY_SECONDS
            metrics.errors.labels(consumer="bridge", cause="outage").inc()
            logger.warning("dead letters are not sent", extra={"error": str(error)})

    def _look(self, now: datetime) -> None:
        work = self._replays.work(now)
        if not work:
            return
        released = self._replays.retry(now, MOST_A_PASS) if work.to_retry else 0
        released += sum(self._replays.advance(job, now) for job in work.jobs)
        if work.to_send or released:
            self._send(self._replays.to_send(now, MOST_A_PASS))

    def _send(self, letters: list[ToSend]) -> None:
        for consumer in Consumer:
            new = [item for item in letters if item.consumer is consumer and item.sends == 1]
            for first in range(0, len(new), A_MESSAGE):
                self._courier.send_letters(
                    consumer, [item.letter for item in new[first : first + A_MESSAGE]]
                )
            metrics.dead_letters_sent.labels(consumer=consumer.value, reason="first").inc(len(new))
        until = time.monotonic() + SEND_SECONDS
        for item in letters:
            if item.sends > 1 and time.monotonic() < until:
                # Alone: one that kills its worker must not hold up the others a second time.
                self._courier.send_letters(item.consumer, [item.letter])
                sent = metrics.dead_letters_sent.labels(consumer=item.consumer, reason="lease")
                sent.inc()
