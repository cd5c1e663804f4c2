"""A row of the benchmark: a name, what it shows, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.figures import Figures
from tests.bench.rig import Rig


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`name` begins with the kind, which `--rows` chooses by; `limit` in seconds ends it."""

    name: str
    shows: str
    measure: Callable[[Rig], Figures]
    limit: float = 600.0

    @property
    def kind(self) -> str:
        return self.name.partition(" ")[0]
