"""Generated events, and the oracle that knows what they add up to."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.contract.envelope import decode_event
from apps.demo.generator import Generator
from apps.demo.oracle import Oracle
from apps.demo.schedule import Plan
from apps.demo.stream import Batch
from apps.leaderboards.folding import scores
from apps.leaderboards.rules import default_definition

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def generated(batches: int, players: int = 5) -> tuple[Oracle, list[Batch]]:
    oracle = Oracle()
    generator = Generator("load-x", players, oracle=oracle, dice=random.Random(7))
    return oracle, [generator.batch(100, NOW) for _ in range(batches)]


def events_of(batches: list[Batch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        for line in batch.body.splitlines():
            yield json.loads(line, parse_float=Decimal)


def test_the_oracle_counts_each_id_once() -> None:
    oracle, batches = generated(50)
    sent = list(events_of(batches))
    unique = {event["event_id"]: event for event in sent}
    assert len(sent) == 5_000
    assert oracle.events == len(unique)
    assert oracle.repeats == 5_000 - len(unique)
    assert 10 < oracle.repeats < 150
    assert oracle.by_type == Counter(event["event_type"] for event in unique.values())
    assert oracle.by_player == Counter(event["player_id"] for event in unique.values())


def test_a_repeat_is_the_same_event_in_a_later_batch() -> None:
    _, batches = generated(50)
    seen: dict[str, bytes] = {}
    for batch in batches:
        lines = batch.body.splitlines()
        ids = [json.loads(line)["event_id"] for line in lines]
        assert len(set(ids)) == len(ids)
        for event_id, line in zip(ids, lines, strict=True):
            assert seen.setdefault(event_id, line) == line


def test_the_scores_are_those_of_the_default_board() -> None:
    oracle, batches = generated(50)
    board = default_definition("load-x")
    lines = {line for batch in batches for line in batch.body.splitlines()}
    totals: dict[str, Decimal] = {}
    for line in lines:
        event = decode_event(line, now=NOW, absent_id="", ingested_at=NOW)
        for found in scores([board], event.event_type, event.player_id, NOW, bytes(event.data), ""):
            totals[found.player_id] = totals.get(found.player_id, Decimal(0)) + found.score
    assert totals == oracle.scores


def test_the_scores_are_whole_decimal_and_absent() -> None:
    _, batches = generated(50)
    kinds = Counter(
        type(next(iter(event["data"].values()), None)).__name__
        for event in events_of(batches)
        if event["event_type"] == "boss_defeated"
    )
    assert kinds.keys() == {"int", "Decimal", "NoneType"}


def test_every_generated_event_is_valid() -> None:
    _, batches = generated(5)
    for batch in batches:
        for line in batch.body.splitlines():
            decode_event(line, now=NOW, absent_id="", ingested_at=NOW)


@pytest.mark.parametrize("plan", [
    Plan(rate=1_000, seconds=3, batch=100),
    Plan(rate=7, seconds=3, batch=100),
    Plan(rate=1_000, seconds=1, batch=333),
])  # fmt: skip
def test_a_plan_has_all_its_events_inside_its_time(plan: Plan) -> None:
    sizes = list(plan.sizes())
    assert sum(size for _, size in sizes) == plan.rate * plan.seconds
    assert sizes[0][0] == 0
    assert all(0 <= after < plan.seconds for after, _ in sizes)
