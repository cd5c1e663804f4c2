"""Waiting on conditions: nothing in this tier sleeps for a time that somebody guessed."""

import time
from collections.abc import Callable
from typing import TypeVar

# Seconds. Far above what is ordinary (some ms to 25 s), because the machine may be shared.
PATIENCE = 120.0
EVERY = 0.05

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, *, seconds: float = PATIENCE) -> T:
    """The condition's first truthy value. Fails, naming `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {found!r}")
        time.sleep(EVERY)
