"""What every rebuild from the log begins with: alone, and by a snapshot that nothing slips past.

Consumers note what they claim while a build is open and its builder lives. The snapshot is taken
while nobody applies anything, so every event is either in it, or noted; never both, never neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

import psycopg2
from django.db import Error as DatabaseError
from django.db import connection, transaction

from apps.contract.queues import Consumer
from apps.ledger.coverage import wait_for_the_log

# SQL: the builder's session, that of `{build}.backend_pid`, still holds its lock.
ALIVE: Final = """EXISTS (
         SELECT 1 FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.objid = {lock}
            AND l.pid = {build}.backend_pid AND l.granted)"""
# The log takes its time, and what is folded from it too: a snapshot holds nobody up.
_PATIENT: Final = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
_RESET: Final = "RESET statement_timeout; RESET idle_in_transaction_session_timeout"
# SQL: from here on the transaction does hold others up; it ends if its builder is stuck.
IMPATIENT: Final = "SET LOCAL idle_in_transaction_session_timeout = '30s'"
T = TypeVar("T")


class AnotherBuild(Exception):
    """Another rebuild of the same is at work on this database; let it end."""


@contextmanager
def alone(lock: int) -> Iterator[None]:
    """The only builder of this database under this advisory lock. Raises AnotherBuild.

    The lock is the session's: it falls when the builder dies, and consumers note nothing more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PATIENT)
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        if not cursor.fetchone()[0]:
            cursor.execute(_RESET)
            raise AnotherBuild(AnotherBuild.__doc__)
    try:
        yield
    finally:
        # A broken session has let it go.
        with suppress(DatabaseError, psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
            cursor.execute(_RESET)


def is_held(lock: int) -> bool:
    """Whether this session is still the one of `alone`.

    A builder whose session broke goes on by another one, and has no word any more: the next may be
    at work.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
            " AND pid = pg_backend_pid() AND granted)",
            [lock],
        )
        return bool(cursor.fetchone()[0])


@contextmanager
def opened(still: int, consumer: Consumer, begin: Callable[[], T]) -> Iterator[T]:
    """What `begin` opens, and a transaction that sees what was applied before, and nothing else.

    `still` is the advisory lock that the consumer shares; `begin` runs while it stands still, and
    commits. Raises LogBehind.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [still])
        try:
            wait_for_the_log(consumer)
            build = begin()
        except BaseException:
            _release(still)
            raise
    with transaction.atomic():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SELECT txid_current_snapshot()")
        finally:
            _release(still)
        yield build


def _release(still: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [still])


def backend_pid() -> int:
    """Of this session in PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])
