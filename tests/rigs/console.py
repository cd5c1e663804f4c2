"""How a long run tells of itself on a console, and is ended."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from types import FrameType


def opened() -> Callable[[str], None]:
    """Prints a line with the seconds since now. SIGTERM ends the run as Ctrl-C does, so that what
    it started is ended; what the Kafka clients say of servers that a run ends is not shown."""
    signal.signal(signal.SIGTERM, _interrupt)
    logging.getLogger("tests.librdkafka").setLevel(logging.CRITICAL)
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f}] {text}", flush=True)

    return tell


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
