"""Opening and closing a build of statistics: in between, consumers note what they claim."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.contract.queues import Consumer
from apps.ledger import builds
from apps.stats.locks import BUILD, STATISTICS
from apps.stats.models import StatsBuild


def alone() -> AbstractContextManager[None]:
    """The only builder of statistics. Raises AnotherBuild."""
    return builds.alone(BUILD)


def opened(game_id: str | None) -> AbstractContextManager[StatsBuild]:
    """An open build, and a transaction that sees what was applied before it, and nothing else.

    Raises LogBehind.
    """
    return builds.opened(STATISTICS, Consumer.STATS, partial(_open, game_id))


def _open(game_id: str | None) -> StatsBuild:
    with transaction.atomic():
        _forget_notes()
        StatsBuild.objects.filter(state=StatsBuild.BUILDING).update(state=StatsBuild.FAILED)
        return StatsBuild.objects.create(
            game_id=game_id, state=StatsBuild.BUILDING, backend_pid=builds.backend_pid()
        )


def switched(build: StatsBuild, *, events: int, changed: int) -> None:
    """Within the transaction of the switch: nobody notes for the build any more."""
    StatsBuild.objects.filter(pk=build.pk).update(
        state=StatsBuild.SWITCHED, switched_at=Now(), events=events, changed=changed
    )
    _forget_notes()


def settle(build: StatsBuild, state: str) -> None:
    """The build is over; nothing where its builder has lost its session."""
    with transaction.atomic():
        if not builds.is_held(BUILD):
            return
        StatsBuild.objects.filter(pk=build.pk).update(state=state)
        _forget_notes()


def _forget_notes() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM stats_build_events")
