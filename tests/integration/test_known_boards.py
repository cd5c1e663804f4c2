"""A worker remembers boards, and counts by what stands all the same."""

from __future__ import annotations

from decimal import Decimal

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.leaderboards import locks
from apps.leaderboards.models import Board, BoardsStamp, LeaderboardsAppliedEvent
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Operator
from apps.leaderboards.services import LeaderboardsConsumer
from apps.ledger.services import apply_chunk
from tests.builders import GAME, chunk, event_id, record
from tests.totals import score_of
from tests.waiting import while_uncommitted

CONSUMER = LeaderboardsConsumer()


def applied(offset: int, event_type: str = "coin_found") -> None:
    scored = record(offset, event_type=event_type, data='{"score": 1, "coins": 3}')
    apply_chunk(CONSUMER, chunk([scored]))


def store_coins() -> None:
    Board.objects.create(
        game_id=GAME,
        name="coins",
        event_types=["coin_found"],
        score="/coins",
        operator=Operator.SUM.value,
        periods=[Period.ALLTIME.value],
    )


def coins() -> Decimal | None:
    found = score_of("ada", board="coins")
    return found and found[0]


@pytest.mark.django_db
def test_boards_are_read_once_until_one_changes(cache: redis.Redis) -> None:
    applied(0, "player_score")
    with CaptureQueriesContext(connection) as captured:
        applied(1, "player_score")
    assert not [query for query in captured.captured_queries if 'FROM "boards"' in query["sql"]]


@pytest.mark.django_db
def test_a_new_board_counts_from_the_next_event_on(cache: redis.Redis) -> None:
    applied(0)
    assert coins() is None
    store_coins()
    applied(1)
    assert coins() == 3


@pytest.mark.django_db
def test_boards_changed_and_deleted_by_hand_count_so_from_then_on(cache: redis.Redis) -> None:
    store_coins()
    applied(0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE boards SET score = '/score' WHERE name = 'coins'")
    applied(1)
    assert coins() == 4
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM boards")
    applied(2)
    assert coins() == 4
    # What no board counts is not claimed: it may count on a board that is declared later.
    claimed = {str(row.event_id) for row in LeaderboardsAppliedEvent.objects.all()}
    assert claimed == {event_id(0), event_id(1)}


@pytest.mark.django_db
def test_without_a_stamp_boards_are_read_for_each_chunk(cache: redis.Redis) -> None:
    store_coins()
    BoardsStamp.objects.all().delete()
    applied(0)
    applied(1)
    assert coins() == 6


@pytest.mark.django_db(transaction=True)
def test_a_chunk_that_waited_for_a_declaration_counts_on_the_new_board(cache: redis.Redis) -> None:
    applied(0)  # so that boards are known

    def declare() -> None:
        locks.hold_scores_still()
        store_coins()

    while_uncommitted(declare, lambda: applied(1), waits_for="advisory")
    assert coins() == 3
