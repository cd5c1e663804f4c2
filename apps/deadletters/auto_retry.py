"""Which dead letters are replayed without anybody asking, and when.

A rule that refuses an event refuses it again, so nearly every cause waits for somebody. The
exceptions are the causes that can come from the moment instead of the event:

- `crash`: memory ran out or a node died under an innocent event three times in a row.
- 23505, 23P01: a unique or exclusion violation can be a race on an index other than the one that
  the insert arbitrates, and is gone once the other transaction has ended.
"""

from __future__ import annotations

import zlib
from datetime import timedelta
from typing import Final

from apps.contract.causes import CRASH

DESERVING: Final = frozenset({CRASH, "23505", "23P01"})
FIRST_DELAY: Final = timedelta(minutes=1)
LONGEST_DELAY: Final = timedelta(hours=1)
MOST_REPLAYS: Final = 5
# The delay is between 1 and 1.25 times its step: letters that failed together part ways.
JITTER: Final = 0.25


def delay(cause: str, *, replays: int, place: str) -> timedelta | None:
    """How long after its failure a letter is replayed; None: only when somebody asks.

    `replays` is how often it was replayed so far; `place` is its coordinates, from which the
    jitter follows, so that the same letter has the same schedule wherever it is computed.
    """
    if cause not in DESERVING or replays >= MOST_REPLAYS:
        return None
    step = min(FIRST_DELAY * (1 << replays), LONGEST_DELAY)
    part = zlib.crc32(f"{place}:{replays}".encode()) / 2**32
    return step * (1 + JITTER * part)


def place(topic_id: object, partition: int, offset: int) -> str:
    """The coordinates as `delay` takes them."""
    return f"{topic_id}:{partition}:{offset}"
