"""Comparing what is with what must be, precisely enough to start looking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

NAMED: Final = 5  # differences that are told one by one; the rest is counted


def of_values(what: str, expected: object, found: object) -> list[str]:
    return (
        [] if expected == found else [f"{what}: expected {_told(expected)}, found {_told(found)}"]
    )


def of_mappings(what: str, expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> list[str]:
    """Keys that are missing, too many or have another value."""
    keys = sorted(
        (key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)),
        key=str,
    )
    return _shortened(
        what,
        [
            f"{what} of {_told(key)}: expected {_told(expected.get(key))},"
            f" found {_told(found.get(key))}"
            for key in keys
        ],
    )


def of_sequences(what: str, expected: Sequence[Any], found: Sequence[Any]) -> list[str]:
    """Places, counted from 1, that are not as they must be."""
    lines = of_values(f"{what}, length", len(expected), len(found))
    places = [
        f"{what}, place {place}: expected {_told(one)}, found {_told(other)}"
        for place, (one, other) in enumerate(zip(expected, found, strict=False), start=1)
        if one != other
    ]
    return lines + _shortened(what, places)


def _shortened(what: str, lines: list[str]) -> list[str]:
    more = len(lines) - NAMED
    return lines if more <= 0 else [*lines[:NAMED], f"{what}: {more:,} more differences"]


def _told(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        return "(" + ", ".join(str(item) for item in value) + ")"
    return f"{value:,}" if isinstance(value, int) else str(value)
