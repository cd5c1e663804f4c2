"""How fast a client sends, so that a fault meets events from its first moment to its last."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Final

BATCH: Final = 250
SMALLEST: Final = 40
# Events a second: what two cores carry without a backlog that would count as recovery.
RATE: Final = 2_500.0
# Of the stream: sent before the fault begins, and kept back until it is over.
BEFORE: Final = 0.2
KEPT_BACK: Final = 0.05


@dataclass(kw_only=True)
class Pace:
    """How much of the stream may have been sent by now."""

    total: int
    seconds: float  # how long the fault is expected to last
    began: float = field(default_factory=time.monotonic)
    fault_began: float | None = None
    fault_over: bool = False
    held: bool = False

    def room(self, sent: int, now: float) -> int:
        """How many may be sent now, after `sent`: whole batches by the rate; while a fault lasts
        ever fewer but never none, because it has to meet events until its end."""
        by_rate = int((now - self.began) * RATE) - sent
        if self.held or by_rate < min(BATCH, self.total - sent):
            return 0
        if self.fault_over:
            return by_rate
        share = BEFORE
        if self.fault_began is not None:
            passed = (now - self.fault_began) / max(0.1, self.seconds)
            share += (1 - BEFORE - KEPT_BACK) * (1 - math.exp(-1.5 * passed))
        by_share = int(share * self.total) - sent
        return min(by_rate, by_share) if by_share >= SMALLEST else 0
