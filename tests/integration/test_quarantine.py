"""Scores that break a board's bounds are held, seen, and released or removed."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from apps.contract.queues import Consumer
from apps.leaderboards import moderation
from apps.leaderboards.acts import Said
from apps.leaderboards.bounds import Bounds, BoundsInvalid, bounds_of, bounds_of_text
from apps.leaderboards.declaration import declare
from apps.leaderboards.models import (
    Attempts,
    Decision,
    Entry,
    LeaderboardsAppliedEvent,
    ModerationAct,
)
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Operator
from apps.ledger.models import AppliedChunk, ConsumerPosition
from apps.ledger.services import apply_chunk
from tests.builders import CAST, GAME, TOPIC_ID, board, chunk, event_id, minutes, record
from tests.totals import CONSUMERS, score_of

SAID = Said(by="operator", reason="looked into it")
database = pytest.mark.django_db(transaction=True)


def declared(bounds: dict[str, Any], **more: Any) -> None:
    assert declare(board("race", bounds=bounds, **more), by="ada")


def apply(*found: tuple[float, str], player_id: str = "ada", first: int = 0) -> None:
    """Scores of (minute, score), one event each, in one chunk."""
    carried = chunk(
        [
            record(first + n, player_id=player_id, at=minutes(at), data=f'{{"score": {score}}}')
            for n, (at, score) in enumerate(found)
        ]
    )
    for consumer in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        apply_chunk(CONSUMERS[consumer], carried)
    ConsumerPosition.objects.update_or_create(
        consumer=Consumer.LOGGING,
        topic_id=TOPIC_ID,
        partition=0,
        defaults={"next_offset": first + len(found)},
    )


def held() -> list[tuple[str, str, Decimal]]:
    return [(d.rule, d.detail, d.score) for d in Decision.objects.order_by("id")]


@database
def test_a_score_out_of_bounds_is_held_on_its_board_alone(cache: redis.Redis) -> None:
    declared({"min": 0, "max": Decimal("9.5")})
    apply((0, "5"), (1, "9.50"), (2, "9.51"), (3, "-0.1"))
    assert held() == [
        ("max", "9.51 is above 9.5", Decimal("9.51")),
        ("min", "-0.1 is below 0", Decimal("-0.1")),
    ]
    assert score_of("ada", board="race") == (Decimal("14.5"), minutes(1))
    assert score_of("ada") == (Decimal("23.91"), minutes(3))
    decision = Decision.objects.first()
    assert decision is not None
    assert (decision.state, decision.board_version, decision.event_timestamp) == (
        "held",
        1,
        minutes(2),
    )
    assert LeaderboardsAppliedEvent.objects.count() == 4
    assert AppliedChunk.objects.filter(dead=0).count() == 2
    assert not Attempts.objects.exists()


@database
def test_what_was_counted_before_bounds_what_comes(cache: redis.Redis) -> None:
    declared({"max_change": 10, "min_interval": 60, "max_attempts": 3})
    apply((0, "5"), (0.5, "6"), (2, "16"), (4, "15"), (6, "1"), (60 * 24, "9"))
    assert held() == [
        ("min_interval", "30 s from the last score, less than 60", Decimal(6)),
        ("max_change", "changes 5 by 11, more than 10", Decimal(16)),
        ("max_change", "changes 15 by 14, more than 10", Decimal(1)),
    ]
    apply((60 * 24 + 2, "9"), first=6)
    assert held()[3:] == [("max_attempts", "3 attempts in the alltime period before", Decimal(9))]
    assert score_of("ada", board="race") == (Decimal(29), minutes(60 * 24))


@database
def test_a_chunk_is_judged_in_the_order_of_event_time(cache: redis.Redis) -> None:
    declared({"max_attempts": 2})
    apply((9, "9"), (1, "1"), (5, "5"))
    assert [score for _, _, score in held()] == [9]


@database
def test_what_is_held_counts_once_it_is_released_and_goes_once_it_is_removed(
    cache: redis.Redis,
) -> None:
    declared({"max": 10, "max_attempts": 2}, operator=Operator.BEST)
    apply((0, "1"), (1, "50"), (2, "20"))
    first, second = (d.pk for d in Decision.objects.order_by("id"))
    assert len(moderation.settle(GAME, [first], Decision.RELEASED, SAID)) == 1
    assert moderation.settle(GAME, [first], Decision.RELEASED, SAID) == []
    assert score_of("ada", board="race") == (Decimal(50), minutes(1))
    before = list(Entry.objects.order_by("id").values())
    moderation.settle(GAME, [second], Decision.REMOVED, SAID)
    assert list(Entry.objects.order_by("id").values()) == before
    apply((3, "2"), first=3)  # the released one was an attempt
    assert held()[-1][0] == "max_attempts"
    moderation.settle(GAME, [first], Decision.REMOVED, SAID)
    assert score_of("ada", board="race") == (Decimal(1), minutes(0))
    apply((4, "3"), first=4)
    assert score_of("ada", board="race") == (Decimal(3), minutes(4))
    release = ModerationAct.objects.get(action="remove", before="released")
    moderation.undo(GAME, release.pk, SAID)
    assert score_of("ada", board="race") == (Decimal(50), minutes(1))


@database
def test_a_board_declared_late_judges_in_the_order_of_event_time(cache: redis.Redis) -> None:
    apply((9, "9"), (5, "5"))
    apply((1, "1"), (7, "70"), first=2)
    declared({"max": 50, "max_attempts": 2})
    assert sorted((rule, int(score)) for rule, _, score in held()) == [
        ("max", 70),
        ("max_attempts", 9),
    ]
    assert score_of("ada", board="race") == (Decimal(6), minutes(5))


@database
def test_an_act_leaves_in_memory_what_the_consumer_would_have(cache: redis.Redis) -> None:
    declared({"max_change": 5, "max_attempts": 9}, periods=(Period.DAILY, Period.MONTHLY))
    apply((0, "1"), (1, "9"), (2, "3"), (60 * 30, "5"))

    def memory() -> list[tuple[Any, ...]]:
        rows = Attempts.objects.order_by("period", "period_start")
        return list(rows.values_list("period", "period_start", "attempts", "last_at", "last_score"))

    before = memory()
    assert len(before) == 4  # all-time, two days, a month
    act = moderation.hide(GAME, "ada", "race", SAID)
    assert act is not None
    assert memory() == before
    (removed,) = moderation.remove(GAME, "race", [event_id(3)], SAID)
    assert [row[2] for row in memory()] == [2, 2, 2]
    moderation.undo(GAME, removed.pk, SAID)
    moderation.undo(GAME, act.pk, SAID)
    assert memory() == before


@database
def test_workers_side_by_side_count_no_attempt_too_many(cache: redis.Redis) -> None:
    """Every worker has scores of all players, in another order: none waits in a ring."""
    declared({"max_attempts": 5, "max_change": 1000})
    declare(board("other", bounds={"max_attempts": 7}), by="ada")
    rng = random.Random(7)
    records = [
        record(n, player_id=CAST[n % 3], at=minutes(n), data='{"score": 1}') for n in range(120)
    ]
    chunks = [chunk(rng.sample(records[n : n + 12], 12), first_offset=n) for n in range(0, 120, 12)]

    def work(mine: list[Any]) -> None:
        try:
            for carried in mine:
                apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], carried)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, [chunks[n::3] for n in range(3)]))
    for name, most in (("race", 5), ("other", 7)):
        for player_id in CAST:
            found = score_of(player_id, board=name)
            assert found is not None
            assert found[0] == most
        assert Decision.objects.filter(board=name).count() == 120 - 3 * most


@database
def test_boards_without_bounds_ask_for_nothing_more(cache: redis.Redis) -> None:
    apply((0, "1"))
    with CaptureQueriesContext(connection) as plain:
        apply((1, "1"), first=1)
    assert not [
        query
        for query in plain.captured_queries
        if "score_decisions" in query["sql"] or "board_attempts" in query["sql"]
    ]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ([], ""),
        ({"most": 1}, "/most"),
        ({"max": "9"}, "/max"),
        ({"max": True}, "/max"),
        ({"min": 2, "max": 1}, "/max"),
        ({"max": Decimal("1e31")}, "/max"),
        ({"max": Decimal("NaN")}, "/max"),
        ({"max_change": -1}, "/max_change"),
        ({"min_interval": -1}, "/min_interval"),
        ({"min_interval": 10**9}, "/min_interval"),
        ({"max_attempts": 0}, "/max_attempts"),
        ({"max_attempts": Decimal("1.5")}, "/max_attempts"),
    ],
)
def test_bounds_that_say_nothing_clear_are_refused(given: Any, pointer: str) -> None:
    with pytest.raises(BoundsInvalid) as refused:
        bounds_of(given)
    assert refused.value.pointer == pointer


def test_bounds_are_one_text_however_they_are_written() -> None:
    one = bounds_of({"max": Decimal("1.50"), "min": 0, "max_attempts": 3})
    assert one == Bounds(min=Decimal(0), max=Decimal("1.5"), max_attempts=3)
    assert one is not None
    assert one.text == '{"min":0,"max":1.5,"max_attempts":3}'
    assert bounds_of_text(one.text) == one
    assert bounds_of({}) is None
    assert bounds_of_text("") is None
