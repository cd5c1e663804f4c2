"""What ends a demo or load run."""

from __future__ import annotations


class Failed(Exception):
    """The run cannot go on; the message says why, for its user."""
