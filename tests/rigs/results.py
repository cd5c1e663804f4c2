"""What results of every harness are told with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence

from gamemetrics.stack.layout import PROJECT_ROOT


def commit() -> str:
    """The commit that ran, with + where the work tree differs from it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    return told.stdout.strip() or "unknown"


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """Lines of equally many cells as columns."""
    lines = list(lines)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
