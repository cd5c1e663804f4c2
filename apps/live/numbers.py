"""Scores as people read them. `board.js` groups digits alike."""

from __future__ import annotations

import re


def grouped(number: str) -> str:
    """A plain number with its integer part in groups of three: -1234.5 is -1,234.5."""
    whole, point, fraction = number.partition(".")
    return re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole) + point + fraction
