"""Comparing what a consumer keeps with what the log adds up to, and recomputing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from django.db import OperationalError, connection, transaction
from psycopg2 import errorcodes

from apps.contract.queues import Consumer
from apps.ledger.coverage import wait_for_the_log
from apps.operations.steps import step
from apps.reconcile.findings import Finding, Kind, Part
from apps.reconcile.job import Job

# Players that are looked at while their consumer stands still: some ms.
_AT_ONCE: Final = 100
UNTRUSTED: Final = "none: the log may lack events that were applied"
_SINCE: Final = "SELECT DISTINCT player_id FROM events WHERE game_id = %s AND ingested_at >= %s"

Changes = list[Any]


class NotStill(Exception):
    """The consumer could not be made to stand still in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A player's row that is not what the log adds up to."""

    player_id: str
    where: str
    expected: str
    found: str


class Projection(Protocol):
    """What one consumer keeps. Everything but `refresh` runs in the caller's transaction."""

    part: Part
    kind: Kind
    consumer: Consumer
    remedy: str

    def games(self) -> list[str]:
        """The games to compare."""

    def hold_still(self) -> None:
        """The consumer applies nothing until the transaction ends; waits for those that do."""

    def differing(self, game_id: str, players: list[str] | None) -> list[Difference]:
        """Rows of these players (None: all) that are not what the applied events add up to."""

    def rebuild(self, game_id: str, players: list[str]) -> Changes:
        """Write the players' rows as the applied events add up, with newer versions."""

    def refresh(self, changes: Changes) -> None:
        """Have Redis show what `rebuild` changed, after its commit. Raises CacheUnavailable."""


def compare(job: Job, projection: Projection, *, trusted: bool) -> None:
    """Name, and mend where asked, rows that are not what the log adds up to.

    The first looks stand nobody still and may see what is in flight; who differs in them is looked
    at while the consumer stands still and the log holds all that it applied. `trusted`: no event
    that was applied is gone from the log, so that a recomputation loses nothing.
    Raises LogBehind, NotStill, CacheUnavailable.
    """
    games = [job.scope.game_id] if job.scope.game_id is not None else projection.games()
    with step(job.display, f"the log and the {projection.part}", len(games)):
        for game_id in games:
            players = _players(job, game_id)
            for _ in range(2):
                if players is None or players:
                    players = _suspects(projection, game_id, players)
            for some in _batches(players or ()):
                _confirm(job, projection, game_id, some, trusted=trusted)
            job.display.advance(1)


@contextmanager
def still(projection: Projection) -> Iterator[None]:
    """A transaction in which the consumer stands still and the log covers it.

    Raises LogBehind, NotStill.
    """
    with transaction.atomic():
        try:
            projection.hold_still()
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) != errorcodes.LOCK_NOT_AVAILABLE:
                raise
            raise NotStill(f"{projection.consumer} is too busy to stand still") from error
        wait_for_the_log(projection.consumer)
        yield


def _players(job: Job, game_id: str) -> list[str] | None:
    if job.scope.player_id is not None:
        return [job.scope.player_id]
    if job.scope.since is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_SINCE, [game_id, job.scope.since])
        return [row[0] for row in cursor.fetchall()]


def _suspects(projection: Projection, game_id: str, players: list[str] | None) -> list[str]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Rows and ledger of one moment, however many statements it takes.
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        found = projection.differing(game_id, players)
    return sorted({difference.player_id for difference in found})


def _confirm(
    job: Job, projection: Projection, game_id: str, players: list[str], *, trusted: bool
) -> None:
    changes: Changes = []
    with still(projection):
        found = projection.differing(game_id, players)
        mend = job.repair and trusted and bool(found)
        if mend:
            wrong = sorted({difference.player_id for difference in found})
            changes = projection.rebuild(game_id, wrong)
    if mend:
        projection.refresh(changes)
    for difference in found:
        job.report.add(
            Finding(
                part=projection.part,
                kind=projection.kind,
                consumer=projection.consumer,
                where=difference.where,
                expected=difference.expected,
                found=difference.found,
                remedy=projection.remedy if trusted else UNTRUSTED,
                repaired=mend,
            )
        )


def _batches(players: Iterable[str]) -> Iterator[list[str]]:
    some = list(players)
    for first in range(0, len(some), _AT_ONCE):
        yield some[first : first + _AT_ONCE]
