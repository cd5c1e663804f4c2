"""Poison, outage or deploy fault: what a failed write says about the event, or about us."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

# SQLSTATE classes, PostgreSQL manual appendix A.
_POISON = frozenset({"22", "23", "54"})
_OUTAGE = frozenset({"08", "40", "53", "57"})
_OUTAGE_CODES = frozenset({"55P03", "25006", "25P03"})
_UNIQUE_VIOLATION = "23505"
_DISCONNECTED = ("OperationalError", "InterfaceError")


class Failure(StrEnum):
    """What is to be done about an exception."""

    POISON = "poison"  # the event cannot be applied: dead-letter it alone
    OUTAGE = "outage"  # a server is away or busy: wait, then try again, for ever
    DEPLOY_FAULT = "deploy_fault"  # code and schema disagree: stop the line, dead-letter nothing


class EventRefused(Exception):
    """A rule of the consumer refuses the event: poison by decision, with a code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it was raised from: Django wraps psycopg2's."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def classify(error: BaseException) -> Failure:
    """The failure that an exception means."""
    for seen in causes(error):
        if isinstance(seen, EventRefused | UnicodeError):
            return Failure.POISON
        if isinstance(seen, ConnectionError | TimeoutError):
            return Failure.OUTAGE
        state = getattr(seen, "pgcode", None)
        if isinstance(state, str):
            return _of_sqlstate(state)
        if type(seen).__name__ in _DISCONNECTED and seen.__cause__ is None:
            return Failure.OUTAGE  # psycopg2 without a SQLSTATE: the connection is gone
        if isinstance(seen, ValueError) and "NUL" in str(seen):
            return Failure.POISON  # psycopg2 refuses 0x00 before the server sees it
    return Failure.DEPLOY_FAULT


def is_race(error: BaseException) -> bool:
    """Whether another transaction took a key meanwhile: the next try sees its row."""
    return any(getattr(seen, "pgcode", None) == _UNIQUE_VIOLATION for seen in causes(error))


def _of_sqlstate(state: str) -> Failure:
    if state[:2] in _POISON:
        return Failure.POISON
    if state[:2] in _OUTAGE or state in _OUTAGE_CODES:
        return Failure.OUTAGE
    return Failure.DEPLOY_FAULT


def cause_of(error: BaseException) -> str:
    """A dead letter's cause: the rule's code, the SQLSTATE, or the exception's type."""
    for seen in causes(error):
        if isinstance(seen, EventRefused):
            return seen.code
        state = getattr(seen, "pgcode", None)
        if state:
            return str(state)
    return type(error).__name__
