"""Opening and closing a build of boards: in between, consumers note what they claim."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.contract.queues import Consumer
from apps.leaderboards.build_models import BoardBuild
from apps.leaderboards.locks import BOARDS, BUILD
from apps.ledger import builds


class Cancelled(Exception):
    """Somebody has cancelled the build."""


def alone() -> AbstractContextManager[None]:
    """The only builder of boards. Raises AnotherBuild."""
    return builds.alone(BUILD)


def opened(begin: Callable[[], BoardBuild]) -> AbstractContextManager[BoardBuild]:
    """The build, open, and a transaction that sees what was applied before it, and nothing else.

    `begin` gives its row, while no score is applied. Raises LogBehind.
    """
    return builds.opened(BOARDS, Consumer.LEADERBOARDS, lambda: _open(begin))


def _open(begin: Callable[[], BoardBuild]) -> BoardBuild:
    with transaction.atomic():
        _forget_notes()
        build = begin()
        others = BoardBuild.objects.filter(state=BoardBuild.BUILDING).exclude(pk=build.pk)
        # Their builder died. What somebody asked for is built when its turn comes.
        others.filter(definition="").update(state=BoardBuild.FAILED, error="its builder died")
        others.update(state=BoardBuild.ASKED)
        wanted = BoardBuild.objects.filter(pk=build.pk).exclude(state=BoardBuild.CANCELLED)
        opened = wanted.update(
            state=BoardBuild.BUILDING,
            backend_pid=builds.backend_pid(),
            started_at=Now(),
            error="",
        )
        if not opened:
            raise Cancelled(Cancelled.__doc__)
        build.refresh_from_db()
        return build


def left(build: BoardBuild, state: str, **told: Any) -> bool:
    """Leave `building`: nobody notes for it any more.

    False where somebody has cancelled it, and where its builder has lost its session.
    """
    with transaction.atomic():
        if not builds.is_held(BUILD):
            return False
        found = BoardBuild.objects.filter(pk=build.pk, state=BoardBuild.BUILDING)
        settled = found.update(state=state, **told)
        _forget_notes()
    return bool(settled)


def is_cancelled(build: BoardBuild) -> bool:
    return BoardBuild.objects.filter(pk=build.pk, state=BoardBuild.CANCELLED).exists()


def _forget_notes() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM board_build_events")
