"""Whatever rows are lost or changed by hand, a repair brings the totals back."""

from __future__ import annotations

import random

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.leaderboards.models import Entry, LeaderboardsAppliedEvent
from apps.stats.models import PlayerStatistics, StatsAppliedEvent
from tests.builders import event_id, event_text
from tests.kafka_clients import client_of
from tests.reconciling import World, scored
from tests.totals import Totals, totals

pytestmark = pytest.mark.django_db(transaction=True)
COUNT = 24
DAMAGES = (
    "a row of the log",
    "a claim of statistics",
    "a claim of boards",
    "statistics",
    "a total",
    "an entry",
    "a score",
    "a dead letter",
    "the cache",
)


@pytest.fixture
def world(kafka: str, cache: redis.Redis) -> tuple[World, Totals]:
    world = World.new(client_of(kafka))
    poison = event_text(event_id=event_id(99), data={"score": "a lot"})
    world.publish([*scored(range(COUNT)), poison, b"no event", *scored(range(3))])
    world.apply()
    return world, totals()


def damage(what: str, chance: random.Random, cache: redis.Redis) -> None:
    number = chance.randrange(COUNT)
    if what == "a row of the log":
        Event.objects.filter(pk=event_id(number)).delete()
    elif what == "a claim of statistics":
        StatsAppliedEvent.objects.filter(pk=event_id(number)).delete()
    elif what == "a claim of boards":
        LeaderboardsAppliedEvent.objects.filter(pk=event_id(number)).delete()
    elif what == "a dead letter":
        DeadLetter.objects.filter(pk__in=_some(DeadLetter, chance)).delete()
    elif what == "statistics":
        PlayerStatistics.objects.filter(pk__in=_some(PlayerStatistics, chance)).delete()
    elif what == "a total":
        rows = PlayerStatistics.objects.filter(pk__in=_some(PlayerStatistics, chance))
        rows.update(total_events=number, event_breakdown={"player_score": number})
    elif what == "an entry":
        Entry.objects.filter(pk__in=_some(Entry, chance)).delete()
    elif what == "a score":
        Entry.objects.filter(pk__in=_some(Entry, chance)).update(score=-number, rank_key=number)
    else:
        cache.flushdb()


def _some(
    model: type[DeadLetter] | type[PlayerStatistics] | type[Entry], chance: random.Random
) -> list[int]:
    keys = sorted(model._default_manager.values_list("pk", flat=True))
    return [chance.choice(keys)] if keys else []


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(damages=st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=6), seed=st.integers(0, 999))
def test_any_damage_is_found_and_repaired_to_equal_totals(
    world: tuple[World, Totals], cache: redis.Redis, damages: list[str], seed: int
) -> None:
    state, right = world
    chance = random.Random(seed)
    for what in damages:
        damage(what, chance, cache)
    told = state.reconcile(repair=True)
    assert told.report.exit_code == 0, told.findings
    assert totals() == right
    assert StatsAppliedEvent.objects.count() == COUNT + 1
    assert LeaderboardsAppliedEvent.objects.count() == COUNT
    assert state.is_clean()
