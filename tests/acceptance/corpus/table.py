"""The corpus as a table: what was expected, and what was seen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HEAD: Final = """\
# Inputs

What becomes of bad and odd inputs, as the tests of `tests/acceptance/corpus` saw it on a whole
stack. Made by `python -m tests.acceptance.corpus`; the numbers are those of the corpus.

Never an answer of 5xx but 503, never a stack trace, and nothing is applied of what is refused.
"applied" is by logging, statistics and leaderboards alike, but for the consumer that is named.

| # | Input | Expected | Seen |
|---|---|---|---|
"""
# Rows that ask for something that this design does not have.
NOT_HERE: Final = {
    "4, second half": "a key has a scope and no game, so no body can name the game of another key",
    "14, where the client stays": "a body that never comes holds one of the web process's 128 "
    "requests; the ingress, which reads whole bodies first, is what bounds it",
    "73": "an event names no board; boards choose events by their types",
}


@dataclass(kw_only=True)
class Table:
    """Filled by the tests as they run."""

    rows: list[tuple[int, str, str, str]] = field(default_factory=list)

    def add(self, row: int, what: str, expect: str, seen: str) -> None:
        """Note the case, and fail where it was not as expected."""
        self.rows.append((row, what, expect, seen))
        assert seen == expect, f"seen: {seen}"

    def write(self, path: Path) -> None:
        lines = [
            f"| {row} | {_cell(what)} | {_cell(expect)} | {_cell(seen)} |"
            for row, what, expect, seen in sorted(self.rows, key=lambda line: line[0])
        ]
        missing = [f"\nRow {row} is not here: {why}." for row, why in NOT_HERE.items()]
        path.write_text(HEAD + "\n".join([*lines, *missing]) + "\n", encoding="utf-8")


def _cell(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([|<>\\*_`\[\]])", r"\\\1", text)
