"""Task events for Flower, some at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher
from kombu.asynchronous import get_event_loop

# What Flower shows is so old at most, seconds. Every task has three events, and the worker's loop
# would publish them after each of its turns.
INTERVAL: Final = 0.5
MOST_EVENTS: Final = 300


class SparingDispatcher(EventDispatcher):
    """Publishes the task events of half a second together."""

    on_send_buffered: Callable[[], None] | None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting = False
        self.buffer_limit = MOST_EVENTS
        if self.on_send_buffered:  # without a loop Celery does not buffer
            self.on_send_buffered = self._flush_later

    def _flush_later(self) -> None:
        loop = get_event_loop()
        if loop is not None and not self._waiting:
            self._waiting = True
            loop.call_later(INTERVAL, self._flush_now)

    def _flush_now(self) -> None:
        self._waiting = False
        self.flush()


class SparingEvents(Events):
    dispatcher_cls = f"{__name__}:SparingDispatcher"
