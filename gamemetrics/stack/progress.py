"""What `up` and `down` tell while they work: one line a step, with its seconds."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    def step(self, title: str) -> AbstractContextManager[None]:
        """Times what happens inside; several steps may run at once."""

    def note(self, text: str) -> None:
        """Tells something that is no step."""


class PlainProgress:
    """Lines only: for files, pipes, and machines without rich."""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except BaseException:
            print(step_line(title, began, "failed"), flush=True)
            raise
        print(step_line(title, began, "done"), flush=True)

    def note(self, text: str) -> None:
        print(f"  {text}", flush=True)


class SilentProgress:
    """Tells nothing: for callers that have an output of their own."""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        yield

    def note(self, text: str) -> None:
        pass


def step_line(title: str, began: float, outcome: str) -> str:
    return f"  {title:<44} {outcome:<6} {time.monotonic() - began:6.1f} s"
