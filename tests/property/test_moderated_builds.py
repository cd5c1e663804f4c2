"""Boards are built while people hide players and decide upon scores, and bounds hold some."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
import redis
from django.db import connection

from apps.leaderboards import changes
from apps.leaderboards.bounds import bounds_of
from apps.leaderboards.models import BoardBuild
from apps.leaderboards.rebuild import rebuild
from apps.operations.steps import Silent
from tests.arrivals import elsewhere
from tests.property import test_boards_oracle as sql
from tests.property.test_moderation import BOUNDS, World, remembered
from tests.property.test_rebuilt_boards import DAMAGES, scopes
from tests.totals import top, top_from_rows

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS = 3 * sql.SEEDS
STEPS = ("deliver", "deliver", "repeat", "hide", "unhide", "remove", "settle", "undo")


def started(seed: int) -> World:
    BoardBuild.objects.all().delete()
    world = World(seed)
    while len(world.coming) > len(world.came):
        world.deliver()
    for step in random.Random(seed).choices(STEPS, k=4):
        getattr(world, step)()
    return world


@dataclass(kw_only=True)
class Meddling:
    """Shows nothing; at each step of what is shown something is done, by another connection."""

    world: World

    def begin(self, title: str, total: int) -> None:
        self._meddle()

    def advance(self, items: int) -> None:
        self._meddle()

    def end(self) -> None:
        self._meddle()

    def _meddle(self) -> None:
        elsewhere(getattr(self.world, self.world.rng.choice(STEPS)))


def finished(world: World) -> None:
    """Whatever comes, and by which store it is read."""
    for _ in range(2):
        world.judge()
        for scope in scopes():
            assert top(scope, 100) == top_from_rows(scope, 100)
        while world.coming:
            world.deliver()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_rebuild_obeys_what_is_decided_before_and_meanwhile(
    seed: int, cache: redis.Redis
) -> None:
    world = started(seed)
    for scope in scopes():
        top(scope, 1)
    with connection.cursor() as cursor:
        for statement in world.rng.sample(DAMAGES, 2):
            cursor.execute(statement)
    rebuild(None, None, Meddling(world=world))
    finished(world)
    before = remembered()
    assert rebuild(None, None, Silent()).changed == 0
    assert remembered() == before


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_change_judges_bounds_anew_and_leaves_what_people_have_decided(
    seed: int, cache: redis.Redis
) -> None:
    world = started(seed)
    old, *others = world.boards
    drawn = replace(sql.drawn(world.rng), name=old.name)
    new = replace(drawn, bounds=bounds_of(world.rng.choice(BOUNDS)))
    asked = changes.ask(new, by="ada", approved=True)
    assert changes.run(asked.pk, Meddling(world=world)).state == BoardBuild.DONE
    world.boards = [new, *others]
    world.expect_anew(new)
    finished(world)
