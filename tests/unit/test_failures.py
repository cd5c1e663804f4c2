"""What an exception says: about the event, about a server, or about our deploy."""

from __future__ import annotations

import django.db
import psycopg2
import pytest
from psycopg2 import errorcodes, errors

from apps.ledger.cache import CacheUnavailable
from apps.ledger.failures import EventRefused, Failure, classify

POISON, OUTAGE, FAULT = Failure.POISON, Failure.OUTAGE, Failure.DEPLOY_FAULT


class Sqlstate(psycopg2.Error):
    """As psycopg2 raises it; its own attribute cannot be set."""

    pgcode: str | None = None


def with_state(state: str) -> psycopg2.Error:
    error = Sqlstate(state)
    error.pgcode = state
    return error


def wrapped(
    error: BaseException, kind: type[django.db.Error] = django.db.DatabaseError
) -> Exception:
    """As Django raises what psycopg2 raised."""
    outer = kind(str(error))
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("state", "failure"),
    [
        (errorcodes.NUMERIC_VALUE_OUT_OF_RANGE, POISON),
        (errorcodes.UNTRANSLATABLE_CHARACTER, POISON),
        (errorcodes.INVALID_TEXT_REPRESENTATION, POISON),
        (errorcodes.NOT_NULL_VIOLATION, POISON),
        (errorcodes.CHECK_VIOLATION, POISON),
        (errorcodes.PROGRAM_LIMIT_EXCEEDED, POISON),
        (errorcodes.CONNECTION_FAILURE, OUTAGE),
        (errorcodes.DEADLOCK_DETECTED, OUTAGE),
        (errorcodes.SERIALIZATION_FAILURE, OUTAGE),
        (errorcodes.TOO_MANY_CONNECTIONS, OUTAGE),
        (errorcodes.DISK_FULL, OUTAGE),
        (errorcodes.QUERY_CANCELED, OUTAGE),
        (errorcodes.ADMIN_SHUTDOWN, OUTAGE),
        (errorcodes.CANNOT_CONNECT_NOW, OUTAGE),
        (errorcodes.LOCK_NOT_AVAILABLE, OUTAGE),
        (errorcodes.READ_ONLY_SQL_TRANSACTION, OUTAGE),
        (errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT, OUTAGE),
        (errorcodes.UNDEFINED_TABLE, FAULT),
        (errorcodes.UNDEFINED_COLUMN, FAULT),
        (errorcodes.INSUFFICIENT_PRIVILEGE, FAULT),
        (errorcodes.SYNTAX_ERROR, FAULT),
        (errorcodes.INVALID_PASSWORD, FAULT),
        (errorcodes.INVALID_CATALOG_NAME, FAULT),
        (errorcodes.IN_FAILED_SQL_TRANSACTION, FAULT),
        (errorcodes.INTERNAL_ERROR, FAULT),
    ],
    ids=lambda value: errorcodes.lookup(value).lower() if len(value) == 5 else "",
)
def test_a_sqlstate_says_what_is_to_be_done(state: str, failure: Failure) -> None:
    assert classify(with_state(state)) is failure
    assert classify(wrapped(with_state(state))) is failure


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (EventRefused("score_invalid", "no number"), POISON),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"), POISON),
        (ValueError("A string literal cannot contain NUL (0x00) characters."), POISON),
        (CacheUnavailable("Redis: refused"), OUTAGE),
        (ConnectionResetError(), OUTAGE),
        (TimeoutError(), OUTAGE),
        (psycopg2.OperationalError("server closed the connection unexpectedly"), OUTAGE),
        (psycopg2.InterfaceError("connection already closed"), OUTAGE),
        (django.db.InterfaceError("connection already closed"), OUTAGE),
        (wrapped(psycopg2.OperationalError("gone"), django.db.OperationalError), OUTAGE),
        (ValueError("something else"), FAULT),
        (KeyError("x"), FAULT),
        (TypeError(), FAULT),
        (MemoryError(), FAULT),
        (errors.UndefinedTable("no SQLSTATE, no connection"), FAULT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_exception_says_what_is_to_be_done(error: BaseException, failure: Failure) -> None:
    assert classify(error) is failure
