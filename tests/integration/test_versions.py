"""Versions order Redis even where PostgreSQL went back in time."""

from __future__ import annotations

import msgspec
import pytest
import redis
from django.db import connection

from apps.contract.queues import Consumer
from apps.leaderboards.models import Entry
from apps.ledger.services import apply_chunk
from apps.ledger.versions import FIRST, next_of
from apps.stats import cache as copies
from apps.stats.models import PlayerStatistics
from tests.builders import GAME, chunk, record
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db(transaction=True)
EARLIER_TIMELINE = 5  # a version that a row had before the first promotion could not be greater


def selected(expression: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}")
        return int(cursor.fetchone()[0])


def test_a_version_begins_with_the_timeline_and_leaves_room_for_doubles() -> None:
    first = selected(FIRST)
    timeline, change = divmod(first, 2**40)
    assert timeline >= 1
    assert change == 1
    assert first < 2**53


def test_the_next_version_is_one_more_or_the_first_of_a_new_timeline() -> None:
    rows = "(VALUES ({held}::bigint)) AS held(version), (VALUES ({first}::bigint)) AS o(version)"
    expression = next_of("held", "o")

    def of(held: int, first: int) -> int:
        return selected(f"{expression} FROM {rows.format(held=held, first=first)}")

    assert of(held=2**40 + 7, first=2**40 + 1) == 2**40 + 8
    assert of(held=2**40 + 7, first=2**41 + 1) == 2**41 + 1


def test_a_copy_of_rows_that_went_back_is_replaced_by_the_first_change_after_it(
    cache: redis.Redis,
) -> None:
    consumer = CONSUMERS[Consumer.STATS]
    apply_chunk(consumer, chunk([record(0)]))
    held = copies.get(GAME, "ada")
    assert held is not None
    # What a failover to a standby leaves: rows of an earlier timeline, and a Redis ahead of them.
    cache.flushdb()
    copies.put([msgspec.structs.replace(held, version=EARLIER_TIMELINE + 9, total_events=10)])
    PlayerStatistics.objects.update(version=EARLIER_TIMELINE)
    apply_chunk(consumer, chunk([record(1)]))
    held = copies.get(GAME, "ada")
    assert held is not None
    assert held.total_events == 2


def test_entries_take_versions_of_the_timeline_too(cache: redis.Redis) -> None:
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([record(0)]))
    Entry.objects.update(version=EARLIER_TIMELINE)
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([record(1)]))
    assert {entry.version for entry in Entry.objects.all()} == {selected(FIRST)}
