"""When a consumer would dead-letter so much that we must be wrong, not the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# More than both: one bad client must not stop a consumer, nor a chunk of one event.
SHARE: Final = 0.1  # of a chunk
IN_A_ROW: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a chunk does to the breaker; `ending` is how many in a row its last events make."""

    trips: bool
    dead: int
    events: int
    longest: int
    ending: int


def judge(fates: Sequence[bool], before: int) -> Verdict:
    """Judge a chunk by its events in the order of their offsets; True is dead.

    `before` is how many were dead in a row when the chunk began: in strict mode a chunk is one
    event.
    """
    run, longest = before, 0
    for dead in fates:
        run = run + 1 if dead else 0
        longest = max(longest, run)
    count = sum(fates)
    return Verdict(
        trips=count > SHARE * len(fates) and longest > IN_A_ROW,
        dead=count,
        events=len(fates),
        longest=longest,
        ending=run,
    )


@dataclass(kw_only=True, slots=True)
class Line:
    """A consumer's line in one process: dead in a row over all committed chunks.

    `settled`: the row of the breaker is known not to say tripped.
    """

    in_a_row: int = 0
    settled: bool = False
