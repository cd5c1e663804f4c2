"""Whether a process makes progress: what its liveness probe answers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class Progress:
    """The last moment at which the process is known to have moved, by the monotonic clock.

    A process that waits for a server that is away still beats: restarting it would not help.
    """

    within_seconds: float
    _last: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def beat(self) -> None:
        with self._lock:
            self._last = time.monotonic()

    def idle_seconds(self) -> float:
        with self._lock:
            return time.monotonic() - self._last

    def alive(self) -> bool:
        return self.idle_seconds() < self.within_seconds
