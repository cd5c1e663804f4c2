"""A board declared after its events is the board that was declared before them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
import redis

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from apps.events.models import Event
from apps.leaderboards import selectors
from apps.leaderboards.declaration import BoardConflict, declare
from apps.leaderboards.models import Board, Entry, LeaderboardsAppliedEvent
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.rules import Definition, Operator, Order
from apps.ledger import coverage
from apps.ledger.coverage import LogBehind
from apps.ledger.models import AppliedChunk, ConsumerPosition
from apps.ledger.services import apply_chunk
from tests.builders import CAST, GAME, TOPIC_ID, board, chunk, minutes, record
from tests.totals import CONSUMERS, Totals, score_of, top, top_from_rows, totals

pytestmark = pytest.mark.django_db
DEFINITIONS = [
    board("points", operator=Operator.SUM),
    board("best", operator=Operator.BEST, timezone="Pacific/Kiritimati"),
    board("golf", operator=Operator.BEST, order=Order.ASC, periods=(Period.MONTHLY,)),
    board("deep", pointer="/nested/points/1", event_types=("player_score", "round")),
    board("form", operator=Operator.LATEST, event_types=("player_score", "round")),
    board("least", operator=Operator.MIN),
    board("most", operator=Operator.MAX, order=Order.ASC),
    board("played", operator=Operator.COUNT, pointer="", event_types=("player_score", "login")),
]
every_definition = pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: d.name)


def rounds(count: int) -> list[Chunk]:
    """Chunks of ten scores each: ties, zeroes, absent and repeated ones."""
    random = Random(3)
    records = [
        record(
            offset,
            player_id=random.choice(CAST),
            event_type=random.choice(["player_score", "round", "login"]),
            at=minutes(random.randint(-3000, 30)),
            data=random.choice(
                [
                    f'{{"score": {random.randint(0, 3)}.50, "nested": {{"points": [0, 7]}}}}',
                    '{"score": 0}',
                    '{"score": null}',
                    "{}",
                ]
            ),
        )
        for offset in range(count * 10)
    ]
    return [chunk(records[first : first + 10]) for first in range(0, count * 10, 10)]


def logged(chunks: list[Chunk]) -> None:
    for carried in chunks:
        apply_chunk(CONSUMERS[Consumer.LOGGING], carried)


def ranked(chunks: list[Chunk]) -> None:
    for carried in chunks:
        apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], carried)


def reached(consumer: Consumer, offset: int) -> None:
    """Where the bridge has put the consumer's low watermark."""
    ConsumerPosition.objects.update_or_create(
        consumer=consumer.value, topic_id=TOPIC_ID, partition=0, defaults={"next_offset": offset}
    )


def start_over() -> None:
    for model in (Entry, Board, LeaderboardsAppliedEvent, ConsumerPosition, AppliedChunk, Event):
        model._default_manager.all().delete()


def declared_before(definition: Definition, chunks: list[Chunk]) -> Totals:
    declare(definition, by="ada")
    logged(chunks)
    ranked(chunks)
    return totals()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is behind stays behind in these tests."""
    monkeypatch.setattr(coverage, "LOG_PATIENCE", 0.0)


@every_definition
def test_a_board_declared_after_its_events_equals_one_declared_before(
    definition: Definition, cache: redis.Redis
) -> None:
    chunks = rounds(6)
    before = declared_before(definition, chunks)
    start_over()
    logged(chunks)
    reached(Consumer.LOGGING, 60)
    ranked(chunks)
    declare(definition, by="ada")
    assert totals() == before
    assert any(entry[1] == definition.name for entry in before.entries)


@every_definition
def test_an_event_that_is_logged_and_not_yet_ranked_counts_once_on_all_boards(
    definition: Definition, cache: redis.Redis
) -> None:
    chunks = rounds(6)
    before = declared_before(definition, chunks)
    start_over()
    logged(chunks)
    reached(Consumer.LOGGING, 60)
    ranked(chunks[:2])
    declare(definition, by="ada")
    ranked(chunks[4:])
    ranked(chunks)
    assert totals() == before


@every_definition
def test_events_that_come_after_the_declaration_count_once(
    definition: Definition, cache: redis.Redis
) -> None:
    chunks = rounds(6)
    before = declared_before(definition, chunks)
    start_over()
    logged(chunks[:3])
    reached(Consumer.LOGGING, 30)
    ranked(chunks[:3])
    declare(definition, by="ada")
    ranked(chunks[3:])
    logged(chunks[3:])
    assert totals() == before


def test_a_log_that_is_behind_the_boards_must_catch_up_first(cache: redis.Redis) -> None:
    chunks = rounds(2)
    logged(chunks[:1])
    reached(Consumer.LOGGING, 10)
    ranked(chunks)
    with pytest.raises(LogBehind):
        declare(DEFINITIONS[0], by="ada")
    assert not Board.objects.exists()
    logged(chunks)
    reached(Consumer.LOGGING, 20)
    assert declare(DEFINITIONS[0], by="ada")


def test_a_log_with_a_hole_below_the_boards_must_be_whole_first(cache: redis.Redis) -> None:
    chunks = rounds(3)
    logged([chunks[0], chunks[2]])
    reached(Consumer.LOGGING, 10)
    ranked(chunks)
    with pytest.raises(LogBehind):
        declare(DEFINITIONS[0], by="ada")


def test_a_log_that_catches_up_within_the_patience_is_waited_for(
    cache: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "LOG_PATIENCE", 30.0)
    answers = iter([False, False, True])
    monkeypatch.setattr(coverage, "log_covers", lambda consumer: next(answers))
    assert declare(DEFINITIONS[0], by="ada")


def test_declaring_the_same_again_changes_nothing(cache: redis.Redis) -> None:
    definition = DEFINITIONS[0]
    before = declared_before(definition, rounds(2))
    assert not declare(definition, by="ada")
    assert totals() == before
    assert Board.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"operator": Operator.BEST},
        {"order": Order.ASC},
        {"timezone": "Europe/Vienna"},
        {"periods": (Period.ALLTIME,)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_declaring_it_otherwise_is_a_conflict(change: dict[str, object]) -> None:
    definition = board("points")
    assert declare(definition, by="ada")
    with pytest.raises(BoardConflict):
        declare(replace(definition, **change), by="ada")  # type: ignore[arg-type]
    assert selectors.definition_of(GAME, "points") == definition


def test_a_bad_score_found_while_filling_is_left_to_its_own_chunk(cache: redis.Redis) -> None:
    bad = record(0, player_id="ada", event_type="round", data='{"score": "many"}')
    good = record(1, player_id="bo", event_type="round", data='{"score": 3}')
    carried = chunk([bad, good])
    logged([carried])
    reached(Consumer.LOGGING, 2)
    declare(board("rounds", event_types=("round",)), by="ada")
    outcome = apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], carried)
    assert (outcome.applied, outcome.duplicates, outcome.dead) == (0, 1, 1)
    assert score_of("bo", board="rounds") == (Decimal(3), good.timestamp)
    assert score_of("ada", board="rounds") is None


def test_what_the_declaration_counted_on_other_boards_is_read_from_redis(
    cache: redis.Redis,
) -> None:
    scope = BoardPeriod(game_id=GAME, board="default", period=Period.ALLTIME, period_start=EPOCH)
    chunks = rounds(4)
    assert top(scope, 10).total == 0
    logged(chunks)
    reached(Consumer.LOGGING, 40)
    declare(DEFINITIONS[0], by="ada")
    ranked(chunks)
    assert top_from_rows(scope, 10).total > 0
    assert top(scope, 10) == top_from_rows(scope, 10)
