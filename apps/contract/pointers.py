"""JSON Pointers (RFC 6901) into an event's `data`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

PATTERN: Final = r"(/([^~/\x00-\x1f]|~[01])*)*"
MAX_LENGTH: Final = 512
_INDEX: Final = re.compile("0|[1-9][0-9]*")  # RFC 6901, section 4


def resolve(pointer: str, document: Any) -> Any:
    """What the pointer points to; None where there is nothing."""
    value = document
    for name in steps(pointer):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and is_index(name):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def is_index(step: str) -> bool:
    """Whether the step names an element of an array; of an object it is a key like any other."""
    return _INDEX.fullmatch(step) is not None


def joined(*steps: str) -> str:
    """The pointer of these steps."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


@lru_cache(maxsize=4096)
def steps(pointer: str) -> tuple[str, ...]:
    """The names and indexes on the way, unescaped."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
