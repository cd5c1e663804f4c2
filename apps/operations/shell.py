"""Who runs a command."""

from __future__ import annotations

import getpass
import os


def os_user() -> str:
    """The operating system's name of whoever runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
