"""What the tests of the admin share, and those of the local stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from apps.deadletters.models import DeadLetter, DeadLetterJob
from apps.events.models import Event
from apps.leaderboards.models import Board, BoardBuild, Entry
from apps.stats.models import PlayerStatistics
from tests.admin_site import (
    LISTS,
    new_conduct,
    new_counts,
    new_entry,
    new_event,
    new_job,
    new_letter,
    new_statistics,
)
from tests.builders import GAME
from tests.services import Stack, discard, new_stack
from tests.stack_probes import up


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def other(db: None) -> Iterator[Any]:
    """A cursor of another session, each statement of which is committed."""
    with closing(psycopg2.connect(**connection.get_connection_params())) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            yield cursor


@pytest.fixture
def one_of_each() -> dict[str, object]:
    """The key of one row in every list."""
    Event.objects.bulk_create([new_event(1)])
    DeadLetter.objects.bulk_create([new_letter(1)])
    DeadLetterJob.objects.bulk_create([new_job()])
    Entry.objects.bulk_create([new_entry(1)])
    PlayerStatistics.objects.bulk_create([new_statistics("ada", 3)])
    Board.objects.create(
        game_id=GAME,
        name="points",
        event_types=["x"],
        score="/x",
        operator="sum",
        periods=["daily"],
    )
    keys = (
        Event.objects.get().pk,
        PlayerStatistics.objects.get().pk,
        Entry.objects.get().pk,
        Board.objects.get().pk,
        DeadLetter.objects.get().pk,
        DeadLetterJob.objects.get().pk,
        *new_counts(),
        *new_conduct(),
        BoardBuild.objects.create(state=BoardBuild.DONE).pk,
    )
    return dict(zip(LISTS, keys, strict=True))


@pytest.fixture
def fresh() -> Iterator[Stack]:
    """A stack that nobody has started."""
    stack = new_stack()
    yield stack
    discard(stack.dir)


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """A stack whose services run; each test leaves them running."""
    stack = new_stack()
    up(stack)
    yield stack
    discard(stack.dir)
