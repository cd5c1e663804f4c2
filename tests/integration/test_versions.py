"""Versions order Redis even where PostgreSQL went back in time."""

from __future__ import annotations

import time

import msgspec
import pytest
import redis
from django.db import connection

from apps.contract.queues import Consumer
from apps.leaderboards.models import Entry
from apps.ledger.models import AppliedChunk
from apps.ledger.services import apply_chunk
from apps.ledger.versions import FRESH, next_of
from apps.stats import cache as copies
from apps.stats.models import PlayerStatistics, StatsAppliedEvent
from tests.builders import GAME, chunk, event_id, record
from tests.copies import copy_of, counted, read_before
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db(transaction=True)
EARLIER_TIMELINE = 5  # a version that a row had before the first promotion could not be greater


def selected(expression: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}")
        return int(cursor.fetchone()[0])


def test_a_version_is_of_this_timeline_and_moment_and_leaves_room_for_doubles() -> None:
    before = time.time()
    timeline, moment = divmod(selected(FRESH), 2**42)
    assert timeline >= 1
    assert before - 60 < moment / 1000 < time.time() + 60
    assert selected(FRESH) < 2**53


def test_the_next_version_is_one_more_or_a_fresh_one() -> None:
    rows = "(VALUES ({held}::bigint)) AS held(version), (VALUES ({fresh}::bigint)) AS o(version)"
    expression = next_of("held", "o")

    def of(held: int, fresh: int) -> int:
        return selected(f"{expression} FROM {rows.format(held=held, fresh=fresh)}")

    assert of(held=2**42 + 7, fresh=2**42 + 1) == 2**42 + 8
    assert of(held=2**42 + 7, fresh=2**43 + 1) == 2**43 + 1


def test_a_crash_that_lost_commits_leaves_no_copy_that_looks_newer(cache: redis.Redis) -> None:
    consumer = CONSUMERS[Consumer.STATS]
    read_before(GAME, ["ada"])
    apply_chunk(consumer, chunk([record(0)]))
    (before,) = PlayerStatistics.objects.values("version", "total_events", "event_breakdown")
    for offset in (1, 2, 3):
        apply_chunk(consumer, chunk([record(offset)]))
    # The commits of the last three are gone; they come again in one chunk, with another event.
    PlayerStatistics.objects.update(**before)
    StatsAppliedEvent.objects.exclude(event_id=event_id(0)).delete()
    AppliedChunk.objects.filter(first_offset__gt=0).delete()
    apply_chunk(consumer, chunk([record(offset) for offset in (1, 2, 3, 4)]))
    assert counted(GAME, ["ada"]) == [5]


def test_a_copy_of_rows_that_went_back_is_replaced_by_the_first_change_after_it(
    cache: redis.Redis,
) -> None:
    consumer = CONSUMERS[Consumer.STATS]
    read_before(GAME, ["ada"])
    apply_chunk(consumer, chunk([record(0)]))
    held = copy_of(GAME, "ada")
    assert held is not None
    # What a failover to a standby leaves: rows of an earlier timeline, and a Redis ahead of them.
    ahead = msgspec.structs.replace(held, version=EARLIER_TIMELINE + 9, total_events=10)
    cache.set(copies.key(GAME, "ada"), msgspec.json.encode(ahead))
    PlayerStatistics.objects.update(version=EARLIER_TIMELINE)
    apply_chunk(consumer, chunk([record(1)]))
    assert counted(GAME, ["ada"]) == [2]


def test_entries_take_fresh_versions_too(cache: redis.Redis) -> None:
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([record(0)]))
    Entry.objects.update(version=EARLIER_TIMELINE)
    before = selected(FRESH)
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([record(1)]))
    assert all(entry.version >= before for entry in Entry.objects.all())
