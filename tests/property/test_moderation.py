"""Entries are what the log says minus decisions minus hidden players, whatever was done when.

The SQL that says so is the oracle's of boards, given the events that ought to count.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
import redis
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.contract.chunk import Chunk, Record, decode_records
from apps.contract.queues import Consumer
from apps.leaderboards import moderation, rank_build, rank_index, rank_reads, row_reads
from apps.leaderboards.acts import Said
from apps.leaderboards.declaration import declare
from apps.leaderboards.models import Decision, Entry, HiddenPlayer, ModerationAct, Tombstone
from apps.leaderboards.moderation import ScoreUnknown
from apps.leaderboards.periods import Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.rules import Definition
from apps.ledger.services import apply_chunk
from apps.reconcile.boards import BoardsProjection
from tests.builders import CAST, GAME
from tests.property.test_boards_oracle import (
    cut,
    drawn,
    expected,
    fill_raw,
    held,
    logged,
    start_over,
    stream,
)
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db(transaction=True)
SAID = Said(by="operator", reason="test")
STEPS = ("deliver", "deliver", "repeat", "hide", "unhide", "remove", "undo", "read")
lists_of_steps = st.lists(st.sampled_from(STEPS), min_size=4, max_size=25)
slow = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class World:
    """Boards, what has come in, and what people have done to it since."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        start_over()
        for model in (HiddenPlayer, Decision, Tombstone):
            model._default_manager.all().delete()
        ModerationAct.objects.filter(undo_of__isnull=False).delete()
        ModerationAct.objects.all().delete()
        self.boards: list[Definition] = [drawn(self.rng) for _ in range(3)]
        for definition in self.boards:
            declare(definition, by="ada")
        self.records: list[Record] = stream(self.rng, 40)
        self.coming: list[Chunk] = cut(self.rng, self.records)
        logged(self.coming)
        self.came: list[Chunk] = []
        self.hidden: set[tuple[str, str]] = set()
        self.removed: set[tuple[str, str]] = set()

    def deliver(self) -> None:
        if self.coming:
            self.came.append(self.coming.pop())
            apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], self.came[-1])

    def repeat(self) -> None:
        if self.came:
            apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], self.rng.choice(self.came))

    def hide(self) -> None:
        board, player = self._some_board_or_all(), self.rng.choice(CAST)
        moderation.hide(GAME, player, board, SAID)
        self.hidden.add((board, player))

    def unhide(self) -> None:
        if self.hidden:
            board, player = self.rng.choice(sorted(self.hidden))
            assert moderation.unhide(GAME, player, board, SAID) is not None
            self.hidden.remove((board, player))

    def remove(self) -> None:
        board = self.rng.choice(self.boards).name
        event_id = self.rng.choice(self.records).event_id
        try:
            moderation.remove(GAME, board, [event_id], SAID)
        except ScoreUnknown:
            return
        self.removed.add((board, event_id))

    def undo(self) -> None:
        acts = list(ModerationAct.objects.filter(undo_of=None).order_by("id"))
        if not acts:
            return
        act = self.rng.choice(acts)
        try:
            moderation.undo(GAME, act.pk, SAID)
        except moderation.ActConflict:
            return
        if act.event_id is not None:
            self.removed.remove((act.board, str(act.event_id)))
        elif act.action == moderation.HIDE:
            self.hidden.remove((act.board, act.player_id))
        else:
            self.hidden.add((act.board, act.player_id))

    def read(self) -> None:
        for scope in self.scopes():
            rank_build.rebuild(scope)

    def scopes(self) -> list[BoardPeriod]:
        rows = Entry.objects.values_list("board", "period", "period_start").distinct()
        return [
            BoardPeriod(game_id=GAME, board=board, period=Period(period), period_start=start)
            for board, period, start in rows
        ]

    def counted(self, definition: Definition) -> list[Record]:
        """What ought to count on the board."""
        came = {record.event_id: record for record in _records(self.came, self.records)}
        return [
            record
            for record in came.values()
            if not {(definition.name, record.player_id), ("", record.player_id)} & self.hidden
            and (definition.name, record.event_id) not in self.removed
        ]

    def judge(self) -> None:
        for definition in self.boards:
            fill_raw(self.counted(definition))
            assert held(definition) == expected(definition), definition
        with transaction.atomic():
            assert BoardsProjection().differing(GAME, None) == []

    def complete(self) -> dict[BoardPeriod, Any]:
        """The orders that Redis holds whole, from the top on."""
        return {
            scope: rank_reads.page(scope, RankMode.ORDINAL, 100, None)
            for scope in self.scopes()
            if rank_index.size(scope) is not None
        }

    def _some_board_or_all(self) -> str:
        return self.rng.choice(["", *(definition.name for definition in self.boards)])


def _records(chunks: Sequence[Chunk], records: Sequence[Record]) -> list[Record]:
    known = {record.event_id: record for record in records}
    return [
        known[record.event_id] for carried in chunks for record in decode_records(carried.records)
    ]


def same_in_redis(world: World) -> None:
    for scope, found in world.complete().items():
        assert found == row_reads.page(scope, RankMode.ORDINAL, 100, None)


@slow
@given(seed=st.integers(0, 2**32), steps=lists_of_steps)
def test_entries_are_the_log_minus_what_people_took_away(
    cache: redis.Redis, seed: int, steps: list[str]
) -> None:
    cache.flushdb()
    world = World(seed)
    for step in steps:
        complete = world.complete().keys() if step in {"hide", "unhide", "remove"} else set()
        getattr(world, step)()
        assert complete & set(world.scopes()) <= world.complete().keys(), "lost by an act"
        same_in_redis(world)
    world.judge()
    while world.coming:
        world.deliver()
    world.judge()
    same_in_redis(world)


@slow
@given(seed=st.integers(0, 2**32))
def test_to_hide_and_undo_is_nothing(cache: redis.Redis, seed: int) -> None:
    world = World(seed)
    world.deliver()
    world.deliver()
    before = [held(definition) for definition in world.boards]
    act = moderation.hide(GAME, "ada", "", SAID)
    assert act is not None
    assert not Entry.objects.filter(player_id="ada").exists()
    moderation.undo(GAME, act.pk, SAID)
    assert [held(definition) for definition in world.boards] == before
