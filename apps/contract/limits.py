"""How large and how deep an event's `data` may be."""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 32  # the envelope is level 1, `data` level 2
MAX_KEYS: Final = 1_000  # over the whole of `data`
MAX_STRING: Final = 16 * 1024  # characters, keys too
_ESCAPED_NUL: Final = b"\\u0000"


class LimitBroken(Exception):
    """`data` has something that is too large, too deep, or that PostgreSQL cannot store."""

    def __init__(self, code: str, pointer: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.pointer = pointer


def check(data: Any, text: bytes, pointer: str) -> None:
    """Check parsed `data` whose JSON is `text`; `pointer` names it. Raises LimitBroken."""
    # A cheap bound first: short texts without an escaped NUL cannot break a limit of the walk.
    if len(text) > MAX_KEYS or _ESCAPED_NUL in text or _may_be_deep(text):
        _Walk().visit(data, pointer, 2)


def _may_be_deep(text: bytes) -> bool:
    return text.count(b"{") + text.count(b"[") >= MAX_DEPTH - 1


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
