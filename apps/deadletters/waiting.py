"""Wait for a bulk action: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from django.core.management.base import CommandError, OutputWrapper
from rich.console import Console
from rich.progress import Progress as Bar

from apps.deadletters.jobs import Progress

BAR_EVERY: Final = 0.25  # seconds
LINE_EVERY: Final = 2.0


def wait(out: OutputWrapper, look: Callable[[], Progress]) -> None:
    """Until nothing is under way. Raises CommandError where letters failed again."""
    console = Console()
    found = _bar(console, look) if console.is_terminal else _lines(out, look)
    out.write(_line(found))
    if found.failed:
        raise CommandError(f"{found.failed:,} dead letters failed again; see their new cause")


def _bar(console: Console, look: Callable[[], Progress]) -> Progress:
    with Bar(console=console) as bar:
        task = bar.add_task("released", total=None)
        while not (found := look()).settled:
            bar.update(task, total=found.total, completed=found.released - found.replaying)
            time.sleep(BAR_EVERY)
    return found


def _lines(out: OutputWrapper, look: Callable[[], Progress]) -> Progress:
    following = 0.0
    while not (found := look()).settled:
        if time.monotonic() >= following:
            out.write(_line(found))
            following = time.monotonic() + LINE_EVERY
        time.sleep(BAR_EVERY)
    return found


def _line(found: Progress) -> str:
    return (
        f"{found.state}: {found.released:,} of {found.total:,} released, {found.applied:,} applied,"
        f" {found.failed:,} failed again, {found.replaying:,} under way"
    )
