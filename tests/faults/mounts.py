"""Small file systems that can be filled up."""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.stack_homes import HOME_PREFIX, HOMES, is_abandoned

MIB = 1024 * 1024


@cache
def why_not() -> str:
    """Why this machine cannot mount one; empty where it can."""
    if os.geteuid() != 0:
        return "mounting a tmpfs needs root"
    with tempfile.TemporaryDirectory() as directory:
        try:
            mount(Path(directory), 1)
        except (OSError, subprocess.CalledProcessError) as error:
            return f"no tmpfs can be mounted here: {error}"
        unmount(Path(directory))
    return ""


def mount(directory: Path, megabytes: int) -> None:
    """A tmpfs of that size, entered by everybody as the directory below it was."""
    directory.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=0755"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "gm-faults", str(directory)],
        check=True,
        capture_output=True,
    )


def unmount(directory: Path) -> None:
    subprocess.run(["umount", "--lazy", str(directory)], check=False, capture_output=True)


def under(home: Path) -> list[Path]:
    """What is mounted inside a rig's home."""
    table = Path("/proc/mounts")
    if not table.exists():
        return []
    places = [Path(line.split()[1]) for line in table.read_text().splitlines()]
    return [place for place in places if place.is_relative_to(home)]


def sweep() -> None:
    """Unmount what rigs that were killed have left: nobody holds the locks of their homes."""
    for place in under(HOMES):
        top = place.relative_to(HOMES).parts[0]
        if top.startswith(HOME_PREFIX) and is_abandoned(HOMES / top):
            unmount(place)


def fill(directory: Path, *, but: int = 0) -> Path:
    """A ballast file that takes all the room but `but` bytes."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        piece = bytes(MIB)
        try:
            while True:
                file.write(piece)
        except OSError:
            pass
        # Below one piece is room still: a small writer would go on for some time.
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        if but:
            file.truncate(max(0, file.tell() - but))
    return ballast
