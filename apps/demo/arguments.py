"""Bounds of the commands' arguments."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole(at_least: int, at_most: int) -> Callable[[str], int]:
    """A parser of whole numbers within bounds."""

    def parse(text: str) -> int:
        number = int(text) if text.lstrip("-").isdecimal() else None
        if number is None or not at_least <= number <= at_most:
            raise ArgumentTypeError(f"must be a whole number from {at_least} to {at_most:,}")
        return number

    return parse
