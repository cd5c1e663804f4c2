"""A row of the matrix: one fault, when and how it strikes, and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.needs import Needs
from tests.faults.scene import Scene


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`seconds` is about how long the fault lasts; the client's pace is stretched over it.

    `fault` runs while events flow, and has lifted what it did when it returns. `proxied` are the
    servers that our processes reach through a proxy.
    """

    number: str
    title: str
    injected: str
    expected: str
    seconds: float
    fault: Callable[[Scene], None]
    needs: Needs = field(default_factory=Needs)
    proxied: frozenset[str] = frozenset()
