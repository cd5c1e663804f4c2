"""The low watermark: how far everything is applied, without a hole."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class Watermark:
    """Folds applied ranges `[first_offset, next_offset)`, in any order, into a position.

    Everything before `next_offset` is applied. Only the contiguous prefix counts; ranges may
    overlap, since a bridge that starts anew cuts other chunks from the same offsets.
    """

    next_offset: int
    _ahead: dict[int, int] = field(default_factory=dict)  # first_offset -> greatest next_offset

    def add(self, first_offset: int, next_offset: int) -> None:
        """Note an applied range."""
        if next_offset <= self.next_offset:
            return
        self._ahead[first_offset] = max(next_offset, self._ahead.get(first_offset, 0))
        self._advance()

    def _advance(self) -> None:
        while reached := [first for first in self._ahead if first <= self.next_offset]:
            for first in reached:
                self.next_offset = max(self.next_offset, self._ahead.pop(first))
