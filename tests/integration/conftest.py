"""What the tests of the admin share."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.leaderboards.models import Board, Entry
from apps.stats.models import PlayerStatistics
from tests.admin_site import LISTS, new_entry, new_event, new_letter, new_statistics
from tests.builders import GAME


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def one_of_each() -> dict[str, object]:
    """The key of one row in every list."""
    Event.objects.bulk_create([new_event(1)])
    DeadLetter.objects.bulk_create([new_letter(1)])
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
    )
    return dict(zip(LISTS, keys, strict=True))
