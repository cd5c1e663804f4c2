"""What is wrong with a request as a whole."""

from __future__ import annotations


class RequestRefused(Exception):
    """The request is refused before any of its events is looked at."""

    def __init__(
        self, status: int, code: str, message: str, *, pointer: str = "", retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.pointer = pointer
        self.retry_after = retry_after  # seconds; 0: no such header
