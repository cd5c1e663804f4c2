"""Two texts beside each other, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

# Lines of a text; comparing is quadratic in them.
MOST_LINES: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line of each text; None where the other has more."""

    left: str | None
    right: str | None
    changed: bool


def beside(before: str, after: str) -> Iterator[Line]:
    """The lines of both texts, changed ones opposite each other."""
    left, right = before.splitlines()[:MOST_LINES], after.splitlines()[:MOST_LINES]
    matcher = SequenceMatcher(a=left, b=right, autojunk=False)
    for kind, left_from, left_to, right_from, right_to in matcher.get_opcodes():
        pairs = zip_longest(left[left_from:left_to], right[right_from:right_to])
        for old, new in pairs:
            yield Line(left=old, right=new, changed=kind != "equal")
