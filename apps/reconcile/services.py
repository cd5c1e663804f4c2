"""Compare all that is kept of the events, and drive again what is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import psycopg2
from django.db import Error as DatabaseError
from django.db import connection

from apps.contract.queues import Consumer
from apps.ledger.cache import CacheUnavailable
from apps.ledger.coverage import LogBehind
from apps.operations.steps import Display
from apps.reconcile import copies, kafka_log, ledgers, orders, projections
from apps.reconcile.aggregates import AggregatesProjection
from apps.reconcile.findings import Part, Scope
from apps.reconcile.game_totals import GameTotalsProjection
from apps.reconcile.job import ConsumersBehind, Job
from apps.reconcile.ledgers import PROJECTIONS
from apps.reconcile.projections import NotStill, Projection
from apps.reconcile.report import Report
from apps.reconcile.topic import KafkaUnavailable, Topic

logger = logging.getLogger(__name__)

# Advisory lock number, of our own choosing, next to that of the boards.
_LOCK: Final = 7_002
_UNAVAILABLE = (KafkaUnavailable, CacheUnavailable, ConsumersBehind, LogBehind, NotStill)
# Our statements read whole tables; an idle transaction of ours must still not hold a lock long.
_SETTINGS: Final = "SET statement_timeout = 0"


class AnotherReconcile(Exception):
    """Another reconcile is at work on this database; let it end."""


class Unavailable(Exception):
    """PostgreSQL does not answer: nothing can be compared."""


def reconcile(
    client: Mapping[str, Any],
    topic: str,
    *,
    scope: Scope,
    parts: Iterable[Part],
    repair: bool,
    report: Report,
    display: Display,
) -> None:
    """Compare `parts` and tell `report`. Raises AnotherReconcile, Unavailable.

    A part that cannot be compared is told as unavailable, and the others go on.
    """
    try:
        with _alone(), _opened(client, topic) as opened:
            job = Job(scope=scope, repair=repair, report=report, display=display, topic=opened)
            _compare(job, set(parts))
    except (DatabaseError, psycopg2.Error) as error:
        raise Unavailable(f"PostgreSQL: {str(error).strip()}") from error


def _compare(job: Job, parts: set[Part]) -> None:
    # Before a repair it is found out.
    trusted = dict.fromkeys(PROJECTIONS, not job.repair)
    _try(job, parts, Part.KAFKA, lambda: kafka_log.compare(job))
    if Part.LOG in parts or (job.repair and parts & {Part.STATISTICS, Part.BOARDS}):
        _try(job, {Part.LOG}, Part.LOG, lambda: _known(job, trusted))
    _try(job, parts, Part.LOG, lambda: _ledgers(job, trusted))
    for consumer, projection in PROJECTIONS.items():
        # Bound now: the loop moves on.
        _try(job, parts, projection.part, partial(_project, job, projection, trusted[consumer]))
    _try(job, parts, Part.REDIS, lambda: copies.compare(job))
    _try(job, parts, Part.REDIS, lambda: orders.compare(job))


def _project(job: Job, projection: Projection, trusted: bool) -> None:
    projections.compare(job, projection, trusted=trusted)
    if projection.consumer is Consumer.STATS:
        # After the players' rows, of which they are the sums.
        projections.compare(job, GameTotalsProjection(), trusted=trusted)
        projections.compare(job, AggregatesProjection(), trusted=trusted)


def _known(job: Job, trusted: dict[Consumer, bool]) -> None:
    for consumer in PROJECTIONS:
        trusted[consumer] = ledgers.unknown(job, consumer) == 0


def _ledgers(job: Job, trusted: Mapping[Consumer, bool]) -> None:
    for consumer in (Consumer.LOGGING, *PROJECTIONS):
        ledgers.compare(job, consumer, trusted=trusted.get(consumer, True))


def _try(job: Job, parts: set[Part], part: Part, compare: Callable[[], None]) -> None:
    if part not in parts or part in job.report.unavailable:
        return
    try:
        compare()
    except _UNAVAILABLE as error:
        logger.warning("not compared", extra={"part": part.value, "error": str(error)})
        job.report.fail(part, str(error))


@contextmanager
def _alone() -> Iterator[None]:
    """The only reconcile on this database. Raises AnotherReconcile."""
    with connection.cursor() as cursor:
        cursor.execute(_SETTINGS)
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise AnotherReconcile("another reconcile is at work on this database; let it end")
    try:
        yield
    finally:
        # A closed session ends a moment later, so the next run would find the lock held; a broken
        # one has let it go.
        with suppress(DatabaseError, psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
        # Settings and temporary tables are the session's.
        connection.close()


@contextmanager
def _opened(client: Mapping[str, Any], name: str) -> Iterator[Topic | None]:
    """The topic; None where Kafka does not answer: what needs it says so."""
    try:
        topic = Topic(client, name)
    except KafkaUnavailable as error:
        logger.warning("reconcile without Kafka", extra={"error": str(error)})
        yield None
        return
    try:
        yield topic
    finally:
        topic.close()
