"""Entries are what the log says minus decisions minus hidden players, whatever was done when.

The SQL that says so is the oracle's of boards, given the events that ought to count.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
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
from apps.leaderboards.bounds import bounds_of
from apps.leaderboards.declaration import declare
from apps.leaderboards.folding import scores
from apps.leaderboards.models import (
    Attempts,
    Decision,
    Entry,
    HiddenPlayer,
    ModerationAct,
    Tombstone,
)
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
STEPS = ("deliver", "deliver", "repeat", "hide", "unhide", "remove", "settle", "undo", "read")
ACTS = {"hide", "unhide", "remove", "settle"}
BOUNDS: tuple[dict[str, Any], ...] = (
    {},
    {"min": 0},
    {"max": Decimal("1.5"), "max_attempts": 3},
    {"max_change": 2},
    {"min_interval": 61},
    {"max_attempts": 2},
    {"min": -1, "max_change": 1, "min_interval": Decimal("0.5"), "max_attempts": 4},
)
lists_of_steps = st.lists(st.sampled_from(STEPS), min_size=4, max_size=25)
slow = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class World:
    """Boards, what has come in, and what people have done to it since."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        start_over()
        for model in (HiddenPlayer, Decision, Tombstone, Attempts):
            model._default_manager.all().delete()
        ModerationAct.objects.filter(undo_of__isnull=False).delete()
        ModerationAct.objects.all().delete()
        self.boards = [
            replace(drawn(self.rng), bounds=bounds_of(self.rng.choice(BOUNDS))) for _ in range(3)
        ]
        for definition in self.boards:
            declare(definition, by="ada")
        self.records: list[Record] = stream(self.rng, 40)
        self.coming: list[Chunk] = cut(self.rng, self.records)
        logged(self.coming)
        self.came: list[Chunk] = []
        self.hidden: set[tuple[str, str]] = set()
        self.states: dict[tuple[str, str], str] = {}  # board, event id -> of the decision

    def deliver(self) -> None:
        if self.coming:
            carried = self.coming.pop()
            known = {record.event_id for record in self.arrived()}
            new = {r.event_id: r for r in decode_records(carried.records)}
            for definition in self.boards:
                self.expect_held(definition, [r for r in new.values() if r.event_id not in known])
            self.came.append(carried)
            apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], carried)

    def arrived(self) -> list[Record]:
        records = {r.event_id: r for one in self.came for r in decode_records(one.records)}
        return list(records.values())

    def expect_held(self, definition: Definition, new: Sequence[Record]) -> None:
        """What the board must hold of these, judged one by one against all that it counts."""
        bounds = definition.bounds
        counted = [
            (r.timestamp, r.event_id, r.player_id, score)
            for r in self.arrived()
            if self.states.get((definition.name, r.event_id)) not in {"held", "removed"}
            and (score := scored(definition, r)) is not None
        ]
        for r in sorted(new, key=lambda r: (r.timestamp, r.event_id)):
            score = scored(definition, r)
            if bounds is None or score is None:
                continue
            if breaks(definition, r, score, counted):
                self.states[definition.name, r.event_id] = "held"
            else:
                counted.append((r.timestamp, r.event_id, r.player_id, score))

    def expect_anew(self, definition: Definition) -> None:
        """What the board must hold once it is defined so: all is judged in the order of time."""
        kept = {
            event_id: state
            for (board, event_id), state in self.states.items()
            if board == definition.name and state != "held"
        }
        for board, event_id in list(self.states):
            if board == definition.name and event_id not in kept:
                del self.states[board, event_id]
        counted: list[Counted] = []
        for r in sorted(self.arrived(), key=lambda r: (r.timestamp, r.event_id)):
            score, state = scored(definition, r), kept.get(r.event_id)
            if score is None or state == "removed":
                continue
            if not state and definition.bounds and breaks(definition, r, score, counted):
                self.states[definition.name, r.event_id] = "held"
            else:
                counted.append((r.timestamp, r.event_id, r.player_id, score))

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
        self.states[board, event_id] = "removed"

    def settle(self) -> None:
        decisions = list(Decision.objects.order_by("id"))
        if decisions:
            decision = self.rng.choice(decisions)
            state = self.rng.choice([Decision.RELEASED, Decision.REMOVED])
            for _ in range(2):  # the second time changes nothing
                moderation.settle(GAME, [decision.pk], state, SAID)
            self.states[decision.board, str(decision.event_id)] = state

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
            self.states[act.board, str(act.event_id)] = act.before
            if not act.before:
                del self.states[act.board, str(act.event_id)]
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
        return [
            record
            for record in self.arrived()
            if not {(definition.name, record.player_id), ("", record.player_id)} & self.hidden
            and self.states.get((definition.name, record.event_id)) not in {"held", "removed"}
        ]

    def judge(self) -> None:
        for definition in self.boards:
            fill_raw(self.counted(definition))
            assert held(definition) == expected(definition), definition
        decided = Decision.objects.values_list("board", "event_id", "state")
        assert {(board, str(of)): state for board, of, state in decided} == self.states
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


# Time, event id, player and score of what a board counts.
Counted = tuple[datetime, str, str, Decimal]


def breaks(definition: Definition, r: Record, score: Decimal, counted: Sequence[Counted]) -> bool:
    """Whether the score breaks a bound of the board, after those that it counts."""
    bounds = definition.bounds
    assert bounds is not None
    mine = sorted(one for one in counted if one[2] == r.player_id)
    before = mine[-1][3] if mine else score
    apart = abs((mine[-1][0] - r.timestamp).total_seconds()) if mine else 10**9
    full = bounds.max_attempts is not None and any(
        sum(
            definition.start_of(period, one[0]) == definition.start_of(period, r.timestamp)
            for one in mine
        )
        >= bounds.max_attempts
        for period in definition.periods
    )
    return (
        (bounds.min is not None and score < bounds.min)
        or (bounds.max is not None and score > bounds.max)
        or (bounds.max_change is not None and abs(score - before) > bounds.max_change)
        or (bounds.min_interval is not None and apart < bounds.min_interval)
        or full
    )


def scored(definition: Definition, record: Record) -> Decimal | None:
    """The event's score on the board."""
    found = scores(
        [definition],
        record.event_type,
        record.player_id,
        record.timestamp,
        record.data,
        record.event_id,
    )
    return found[0].score if found else None


def remembered() -> set[tuple[Any, ...]]:
    """What boards know of players, but for rows that say nothing."""
    return set(
        Attempts.objects.exclude(attempts=0).values_list(
            *("board", "period", "period_start", "player_id", "attempts"),
            *("last_at", "last_event", "last_score"),
        )
    )


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
        complete = (
            world.complete().keys() if step in {"hide", "unhide", "remove", "settle"} else set()
        )
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
    for _ in range(4):
        world.deliver()
    before = [held(definition) for definition in world.boards], remembered()
    act = moderation.hide(GAME, "ada", "", SAID)
    assert act is not None
    assert not Entry.objects.filter(player_id="ada").exists()
    moderation.undo(GAME, act.pk, SAID)
    assert ([held(definition) for definition in world.boards], remembered()) == before
