"""Causes of dead letters that say what may be done with them."""

from __future__ import annotations

from typing import Final

# The event kills the process that applies it.
CRASH: Final = "crash"
# A refused message was mended and is in the log; this consumer is to apply it as well.
FAN_OUT: Final = "fan_out"
# Kafka dropped the message before anybody read it: there are no bytes to replay.
RETENTION_GAP: Final = "retention_gap"
UNREPLAYABLE: Final = (RETENTION_GAP,)
