"""The same lines for a terminal, with what is under way shown below them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gamemetrics.stack.progress import step_line


class RichProgress:
    """Shown from `with RichProgress() as progress` to the end of the block."""

    def __init__(self, console: Console) -> None:
        self.display = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<44}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> "RichProgress":
        self.display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.display.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        task = self.display.add_task(title, total=None)
        began = time.monotonic()
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            self.display.remove_task(task)
            self.display.console.print(
                step_line(title, began, outcome),
                style="green" if outcome == "done" else "red",
                highlight=False,
            )

    def note(self, text: str) -> None:
        self.display.console.print(f"  {text}", style="yellow", highlight=False)
