"""However readers, consumers and rebuilds meet, no copy of statistics lacks what was committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.stats import cache as copies
from apps.stats.cache import Statistics
from tests.builders import GAME, NOW
from tests.copies import copy_of

Step = Callable[[], None]
ADA = ("ada", GAME)


@dataclass
class World:
    """One player's row; `writing` have changed it and not yet come to their Redis write."""

    cache: redis.Redis
    version: int = 1
    writing: int = 0

    def row(self) -> Statistics:
        return Statistics(
            version=self.version,
            player_id=ADA[0],
            game_id=ADA[1],
            total_events=self.version,
            events={"login": self.version},
            first_event_at=NOW,
            last_event_at=NOW,
        )

    def change(self) -> None:
        self.version += 1
        self.writing += 1

    def reader(self) -> Iterator[None]:
        """As `selectors.of_player`."""
        claim = copies.token()
        held = copies.look(GAME, "ada", claim)
        if held is None:
            yield
            row = self.row()
            yield
            copies.fill(row, claim)
        elif not self.writing:
            assert held == self.row()

    def consumer(self) -> Iterator[None]:
        """As `StatsConsumer.refresh` after a commit."""
        self.change()
        yield
        held = copies.held([ADA])
        yield
        rows = [self.row() for _ in held]
        yield
        copies.put(rows)
        self.writing -= 1

    def rebuild(self) -> Iterator[None]:
        """As `rebuild` after its switch, and `reconcile`."""
        self.change()
        yield
        copies.drop([ADA])
        self.writing -= 1

    def emptied(self) -> Iterator[None]:
        self.cache.flushdb()
        yield


KINDS = ("reader", "consumer", "rebuild", "emptied")


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    begun=st.lists(st.sampled_from(KINDS), min_size=3, max_size=5),
    order=st.lists(st.integers(0, 4), min_size=6, max_size=20),
)
def test_a_copy_is_the_row_whenever_nobody_is_about_to_write_it(
    cache: redis.Redis, begun: list[str], order: list[int]
) -> None:
    cache.flushdb()
    world = World(cache=cache)
    running = [getattr(world, kind)() for kind in begun]
    for number in [*order, *(n for n in range(len(running)) for _ in range(4))]:
        next(running[number % len(running)], None)
        if not world.writing:
            assert copy_of(*reversed(ADA)) in (None, world.row())


def test_a_consumer_that_comes_late_does_not_write_over_a_reader_of_what_is_newer(
    cache: redis.Redis,
) -> None:
    """Its row is older than a rebuild that came between; the reader's copy would be refused."""
    world = World(cache=cache)
    claim = copies.token()
    copies.look(GAME, "ada", claim)
    consumer = world.consumer()
    for _ in range(3):
        next(consumer)
    for _ in world.rebuild():
        pass
    claim = copies.token()
    copies.look(GAME, "ada", claim)
    next(consumer, None)
    copies.fill(world.row(), claim)
    assert copy_of(GAME, "ada") in (None, world.row())


def test_a_read_player_is_kept_up_and_nobody_else(cache: redis.Redis) -> None:
    world = World(cache=cache)
    for _ in world.reader():
        pass
    for _ in world.consumer():
        pass
    assert copy_of(GAME, "ada") == world.row()
    assert 0 < cache.ttl(copies.key(GAME, "ada")) <= copies.UNREAD
    copies.put([msgspec.structs.replace(world.row(), version=9, player_id="bo")])
    assert cache.keys("stats:*") == [copies.key(GAME, "ada").encode()]


def test_an_update_does_not_lengthen_a_copy_that_nobody_reads(cache: redis.Redis) -> None:
    world = World(cache=cache)
    for _ in world.reader():
        pass
    cache.expire(copies.key(GAME, "ada"), 7)
    for _ in world.consumer():
        pass
    assert cache.ttl(copies.key(GAME, "ada")) <= 7
    copies.look(GAME, "ada", copies.token())
    assert cache.ttl(copies.key(GAME, "ada")) > 7


@pytest.mark.parametrize("held", [b"no statistics", b""])
def test_what_is_no_copy_is_read_over(cache: redis.Redis, held: bytes) -> None:
    cache.set(copies.key(GAME, "ada"), held)
    world = World(cache=cache)
    for _ in world.reader():
        pass
    assert copy_of(GAME, "ada") == world.row()
