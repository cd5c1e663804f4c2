"""How large and how deep an event's `data` may be."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 32  # the envelope is level 1, `data` level 2
MAX_KEYS: Final = 1_000  # over the whole of `data`
MAX_STRING: Final = 16 * 1024  # characters, keys too
MAX_FRACTION_DIGITS: Final = 16_383  # PostgreSQL's numeric has no more
MAX_INTEGER_DIGITS: Final = 131_072  # and no more before the point
_ESCAPED_NUL: Final = b"\\u0000"
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKET: Final = re.compile(rb"[\[\]{}]")
# What no number within the limits has: cheap to find, and seldom there. Two patterns, each with a
# beginning that `re` can look for: as one they took three times as long.
_EXPONENT: Final = re.compile(rb"[0-9][eE][+-]?[0-9]{3}")
_LONG_FRACTION: Final = re.compile(rb"\.[0-9]{9999}")
# No text below these lengths has more than MAX_KEYS keys ('"":0,'), a string over MAX_STRING,
# MAX_DEPTH - 1 pairs of brackets, or a long fraction.
_FEW_KEYS: Final = 5 * MAX_KEYS
_FLAT: Final = 2 * (MAX_DEPTH - 1)
_SHORT_FRACTIONS: Final = 10_000


class LimitBroken(Exception):
    """`data` has something that is too large, too deep, or that PostgreSQL cannot store."""

    def __init__(self, code: str, pointer: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.pointer = pointer


def check(data: Any, text: bytes, pointer: str) -> None:
    """Check parsed `data` whose JSON is `text`; `pointer` names it. Raises LimitBroken."""
    nul, deep = _ESCAPED_NUL in text, _may_be_deep(text)
    # A cheap bound first: short texts without an escaped NUL cannot break a limit of the walk.
    if len(text) > _FEW_KEYS or nul or deep:
        _Walk().visit(data, pointer, 2)
    # The walk does not see the earlier of equal keys; PostgreSQL reads them.
    if nul and _NUL.search(text):
        raise LimitBroken("nul_char", pointer, "a string must not have the NUL character")
    if deep and depth(text) >= MAX_DEPTH:
        raise LimitBroken("too_deep", pointer, f"data is nested deeper than {MAX_DEPTH}")
    if _EXPONENT.search(text) or (len(text) >= _SHORT_FRACTIONS and _LONG_FRACTION.search(text)):
        _check_numbers(text, pointer)


def _may_be_deep(text: bytes) -> bool:
    return len(text) >= _FLAT and text.count(b"{") + text.count(b"[") >= MAX_DEPTH - 1


def depth(text: bytes) -> int:
    """How deep the objects and arrays of a JSON text are nested."""
    deepest = depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", text)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _check_numbers(text: bytes, pointer: str) -> None:
    def judge(number: str) -> float:
        try:
            exponent = Decimal(number).as_tuple().exponent
        except InvalidOperation:
            exponent = "F"
        if not isinstance(exponent, int) or not (
            -MAX_FRACTION_DIGITS <= exponent < MAX_INTEGER_DIGITS
        ):
            raise LimitBroken("number_range", pointer, "a number is out of range")
        return 0.0

    msgspec.json.Decoder(float_hook=judge).decode(text)


class _Walk:
    """Counts keys on its way through all of `data`."""

    __slots__ = ("keys",)

    def __init__(self) -> None:
        self.keys = 0

    def visit(self, value: Any, pointer: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise LimitBroken("too_deep", pointer, f"data is nested deeper than {MAX_DEPTH}")
        if isinstance(value, str):
            _check_text(value, pointer)
        elif isinstance(value, dict):
            self.keys += len(value)
            if self.keys > MAX_KEYS:
                raise LimitBroken("limits", pointer, f"data has over {MAX_KEYS} keys")
            for key, item in value.items():
                _check_text(key, pointer)
                step = key.replace("~", "~0").replace("/", "~1")
                self.visit(item, f"{pointer}/{step}", depth + 1)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.visit(item, f"{pointer}/{index}", depth + 1)


def _check_text(value: str, pointer: str) -> None:
    if "\x00" in value:
        raise LimitBroken("nul_char", pointer, "a string must not have the NUL character")
    if len(value) > MAX_STRING:
        raise LimitBroken("limits", pointer, f"a string is over {MAX_STRING} characters")
