"""Boards of every operator are what the log adds up to; what is not is found and mended."""

from __future__ import annotations

import pytest
import redis
from django.db import transaction

from apps.contract.queues import Consumer
from apps.leaderboards.declaration import declare
from apps.leaderboards.models import Entry
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Operator
from apps.ledger.services import apply_chunk
from apps.reconcile.boards import BoardsProjection
from tests.builders import CAST, GAME, board, chunk, points_of_the_cast
from tests.totals import CONSUMERS, totals

pytestmark = pytest.mark.django_db(transaction=True)
PERIODS = (Period.ALLTIME, Period.DAILY, Period.MONTHLY)


@pytest.fixture
def played(cache: redis.Redis) -> None:
    for operator in Operator:
        declare(board(operator.value, operator=operator, periods=PERIODS), by="ada")
    carried = chunk(points_of_the_cast(40))
    for consumer in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        apply_chunk(CONSUMERS[consumer], carried)


def differing() -> list[str]:
    with transaction.atomic():
        return [found.where for found in BoardsProjection().differing(GAME, None)]


@pytest.mark.usefixtures("played")
def test_what_the_consumer_merged_is_what_the_log_adds_up_to() -> None:
    assert Entry.objects.values("board").distinct().count() == len(Operator) + 1
    assert differing() == []


@pytest.mark.usefixtures("played")
def test_entries_that_were_tampered_with_come_back() -> None:
    before, ids = totals(), set(Entry.objects.values_list("board", "player_id", "event_id"))
    Entry.objects.filter(player_id="ada").delete()
    Entry.objects.filter(player_id="bo").update(score=99)
    Entry.objects.filter(player_id="cyd", board="latest").update(event_id=None)
    assert len(differing()) > len(Operator)
    with transaction.atomic():
        BoardsProjection().rebuild(GAME, list(CAST))
    assert (totals(), set(Entry.objects.values_list("board", "player_id", "event_id"))) == (
        before,
        ids,
    )
