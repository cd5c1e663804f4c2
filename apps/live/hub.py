"""One pub/sub connection a process, fanned out to its streams.

A stream holds one of the web server's threads, so their number is bounded; the server has as many
threads beyond those that POSTs need (gamemetrics.stack.applications.STREAM_THREADS).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from functools import lru_cache
from typing import Final

import msgspec
import redis

from apps.hints.hint import DEAF_SECONDS, channel, decode, game_of
from apps.ledger.cache import client
from apps.live.mailbox import Mailbox
from apps.monitoring import metrics

logger = logging.getLogger(__name__)
MAX_STREAMS: Final = 32
# Seconds. How long a new stream may wait for its game to be subscribed to; it has looked before.
_TICK: Final = 0.05
# Workers may have kept silent until then, counted from the subscription.
_SECOND_LOOK: Final = DEAF_SECONDS + 0.1
_AFTER_TROUBLE: Final = 1.0


class HubFull(Exception):
    """This process has as many streams as it can serve beside its other requests."""


class Hub:
    """The streams of this process, and the listener that marks their mailboxes."""

    def __init__(self, limit: int = MAX_STREAMS) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._boxes: dict[str, set[Mailbox]] = defaultdict(set)
        self._open = 0
        self._stopping = False
        self._listener: threading.Thread | None = None

    def open(self, game_id: str, board: str, period: str) -> Mailbox:
        """A mailbox that marks come into from now on; `close` gives it back. Raises HubFull."""
        box = Mailbox(game_id, board, period)
        with self._changed:
            if self._open >= self._limit or self._stopping:
                raise HubFull(f"{self._open} streams are open here: try again later")
            self._open += 1
            self._boxes[game_id].add(box)
            metrics.live_streams.set(self._open)
            # Not at import: granian forks, and threads do not come along.
            if self._listener is None:
                self._listener = threading.Thread(target=self._run, name="live", daemon=True)
                self._listener.start()
            self._changed.notify()
        return box

    def close(self, box: Mailbox) -> None:
        """Forget the mailbox. Harmless when repeated."""
        with self._changed:
            boxes = self._boxes.get(box.game_id, set())
            if box not in boxes:
                return
            boxes.remove(box)
            if not boxes:
                del self._boxes[box.game_id]
            self._open -= 1
            metrics.live_streams.set(self._open)

    def stop(self) -> None:
        """End every stream, and take no new one."""
        with self._changed:
            self._stopping = True
            for box in self._all():
                box.end()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._boxes))
            try:
                self._listen()
            except redis.RedisError as error:
                # Streams look by themselves now and then, so they are late, not wrong.
                logger.warning("live boards hear nothing", extra={"error": str(error)})
                time.sleep(_AFTER_TROUBLE)

    def _listen(self) -> None:
        """Listen while there are streams. Raises what redis-py raises."""
        games: set[str] = set()
        second_looks: list[tuple[float, str]] = []
        with client().pubsub() as pubsub:  # type: ignore[no-untyped-call]
            while wanted := self._games():
                if new := wanted - games:
                    pubsub.subscribe(*map(channel, new))
                if gone := games - wanted:
                    pubsub.unsubscribe(*map(channel, gone))
                games = wanted
                message = pubsub.get_message(timeout=_TICK)
                now = time.monotonic()
                if message and message["type"] == "subscribe":
                    game_id = game_of(message["channel"])
                    self._look(game_id)
                    second_looks.append((now + _SECOND_LOOK, game_id))
                elif message and message["type"] == "message":
                    self._hear(message["channel"], message["data"])
                while second_looks and second_looks[0][0] <= now:
                    self._look(second_looks.pop(0)[1])

    def _games(self) -> set[str]:
        with self._changed:
            return set(self._boxes)

    def _look(self, game_id: str) -> None:
        for box in self._of(game_id):
            box.look()

    def _hear(self, name: bytes, data: bytes) -> None:
        try:
            hint = decode(data)
        except msgspec.MsgspecError:
            # Of another version of ours: something changed, whatever it was.
            self._look(game_of(name))
            return
        for box in self._of(game_of(name)):
            box.hear(hint)

    def _of(self, game_id: str) -> list[Mailbox]:
        with self._changed:
            return list(self._boxes.get(game_id, ()))

    def _all(self) -> list[Mailbox]:
        return [box for boxes in self._boxes.values() for box in boxes]


@lru_cache(maxsize=1)
def hub() -> Hub:
    """The hub of this process."""
    return Hub()
