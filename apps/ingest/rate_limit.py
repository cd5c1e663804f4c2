"""How many requests a second this process takes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class TokenBucket:
    """A token bucket that holds one second's worth; the caller tells the time.

    It lives in the process: a limit that needed Redis would make Redis's outage ours.
    """

    rate: float  # tokens a second
    _tokens: float = field(init=False)
    _at: float | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._tokens = self.rate

    def take(self, now: float) -> float:
        """Take a token; 0, or the seconds to wait for the next. `now` is monotonic."""
        with self._lock:
            if self._at is not None:
                self._tokens = min(self.rate, self._tokens + (now - self._at) * self.rate)
            self._at = now if self._at is None else max(now, self._at)
            if self._tokens >= 1:
                self._tokens -= 1
                return 0.0
            return (1 - self._tokens) / self.rate
