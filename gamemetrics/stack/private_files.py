"""Files that only their owner may read, replaced in one step."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Writes `path` with mode 600; a reader sees the old text or the new one, never a part."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


def read_pairs(path: Path) -> dict[str, str]:
    """The KEY=VALUE lines of `path`; none if there is no such file."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines if "=" in line)}


def write_pairs(path: Path, pairs: dict[str, str]) -> None:
    write_private(path, "".join(f"{key}={value}\n" for key, value in pairs.items()))
