"""How many dead letters a job may release now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

BURST: Final = timedelta(seconds=1)


def allowance(per_second: int, paced_at: datetime, now: datetime) -> tuple[int, datetime]:
    """How many letters, and up to which moment they use the rate.

    `paced_at` is what the last call returned. A pause, an outage or a slow pass saves up at most
    one second's worth.
    """
    since = max(paced_at, now - BURST)
    letters = max(0, int((now - since).total_seconds() * per_second))
    return letters, since + timedelta(seconds=letters / per_second)
