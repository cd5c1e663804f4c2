"""The steps of a long run, and where they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Display(Protocol):
    """Where the steps are shown."""

    def begin(self, title: str, total: int) -> None:
        """A step of about `total` items begins."""

    def advance(self, items: int) -> None:
        """So many more are done."""

    def end(self) -> None:
        """The step is over."""


class Silent:
    """For callers with an output of their own."""

    def begin(self, title: str, total: int) -> None:
        """Shows nothing."""

    def advance(self, items: int) -> None:
        """Shows nothing."""

    def end(self) -> None:
        """Shows nothing."""


@contextmanager
def step(display: Display, title: str, total: int) -> Iterator[None]:
    """A step; it ends with the block, whatever happens in it."""
    display.begin(title, total)
    try:
        yield
    finally:
        display.end()
