"""The Redis transport without its emulated acknowledgements.

kombu's own writes each message that a worker takes a second time, into `unacked`, and removes it
when the task is done: two round trips a message, for a copy that is handed out again after the
visibility timeout (300 s). The bridge sends what PostgreSQL does not have after 10 s, whatever the
broker holds, so nothing waits for that copy.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

logger = logging.getLogger(__name__)


class Held(virtual.QoS):
    """The messages that this worker holds; nobody else knows of them."""

    channel: Any  # a Channel of this module; the types of kombu know no Redis
    _delivered: Any
    _flush: Any

    def restore_unacked(self) -> Any:
        """Put back what was taken and not done, at a shutdown or after a lost connection.

        A broker that is away gets nothing. kombu would write the messages, players' data, into a
        file beside the process; the bridge has them.
        """
        self._flush()
        held = list(self._delivered.values())
        self._delivered.clear()
        try:
            with self.channel.conn_or_acquire() as client:
                for message in held:
                    place = message.delivery_info
                    # Marked as redelivered: it may have ended who had it.
                    self.channel._do_restore_message(
                        message._raw, place["exchange"], place["routing_key"], client
                    )
        except self.channel.connection_errors as error:
            logger.info("messages not put back", extra={"held": len(held), "error": str(error)})
        return []


class Channel(redis.Channel):
    """A Redis channel whose acknowledgements stay in the process."""

    ack_emulation = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.QoS: Any = Held


class Transport(redis.Transport):
    Channel = Channel


def install() -> None:
    """Make this the transport of redis:// and rediss:// in this process."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
