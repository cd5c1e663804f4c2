"""Opening and closing a build: from the one to the other, consumers note what they claim.

The builder's snapshot is taken while nobody applies anything. So every event is either in it, or
noted by its consumer; never both, never neither.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg2
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models.functions import Now

from apps.contract.queues import Consumer
from apps.ledger.coverage import log_covers
from apps.stats.locks import BUILD, STATISTICS
from apps.stats.models import StatsBuild

# Seconds for the log to catch up with a consumer that stands still; ordinarily ms.
LOG_PATIENCE: Final = 10.0


class AnotherBuild(Exception):
    """Another rebuild of statistics is at work on this database; let it end."""


class LogBehind(Exception):
    """The log does not hold what statistics have counted; try again when its queue is drained."""


@contextmanager
def alone() -> Iterator[None]:
    """The only builder of this database. Raises AnotherBuild.

    The lock is the session's: it falls when the builder dies, and consumers note nothing more.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [BUILD])
        if not cursor.fetchone()[0]:
            raise AnotherBuild(AnotherBuild.__doc__)
    try:
        yield
    finally:
        # A broken session has let it go.
        with suppress(DatabaseError, psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [BUILD])
            cursor.execute("RESET statement_timeout")


@contextmanager
def opened(game_id: str | None) -> Iterator[StatsBuild]:
    """An open build, and a transaction that sees what was applied before it, and nothing else.

    Raises LogBehind.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [STATISTICS])
        try:
            wait_for_the_log()
            build = _open(game_id)
        except BaseException:
            _release()
            raise
    with transaction.atomic():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SELECT txid_current_snapshot()")
        finally:
            _release()
        yield build


def _open(game_id: str | None) -> StatsBuild:
    with transaction.atomic():
        _forget_notes()
        StatsBuild.objects.filter(state=StatsBuild.BUILDING).update(state=StatsBuild.FAILED)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (backend_pid,) = cursor.fetchone()
        return StatsBuild.objects.create(
            game_id=game_id, state=StatsBuild.BUILDING, backend_pid=backend_pid
        )


def _release() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [STATISTICS])


def switched(build: StatsBuild, *, events: int, changed: int) -> None:
    """Within the transaction of the switch: nobody notes for the build any more."""
    StatsBuild.objects.filter(pk=build.pk).update(
        state=StatsBuild.SWITCHED, switched_at=Now(), events=events, changed=changed
    )
    _forget_notes()


def settle(build: StatsBuild, state: str) -> None:
    """The build is over."""
    with transaction.atomic():
        StatsBuild.objects.filter(pk=build.pk).update(state=state)
        _forget_notes()


def wait_for_the_log() -> None:
    """While statistics stand still. Raises LogBehind."""
    until = time.monotonic() + LOG_PATIENCE
    while not log_covers(Consumer.STATS):
        if time.monotonic() > until:
            raise LogBehind(LogBehind.__doc__)
        time.sleep(0.02)


def _forget_notes() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM stats_build_events")
