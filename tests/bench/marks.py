"""A document's computed parts, each between two marks that a page does not show."""

from __future__ import annotations


class NoPlace(ValueError):
    """The text has not these marks, or has the first one twice."""


def between(text: str, begin: str, end: str, part: str) -> str:
    """The text with `part` between the mark `begin` and the next `end`. Raises NoPlace."""
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed) or begin in rest:
        raise NoPlace(f"there has to be {begin.strip()} once, and {end} after it")
    return f"{before}{begin}{part}{end}{after}"
