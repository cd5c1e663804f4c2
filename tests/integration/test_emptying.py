"""Tests that commit leave the database as `migrate` made it."""

from __future__ import annotations

import pytest

from apps.leaderboards.models import Board
from tests.emptying import KEPT, empty, filled


@pytest.mark.django_db(transaction=True)
def test_a_test_finds_what_migrate_left_and_nothing_else() -> None:
    assert filled() == KEPT
    Board.objects.create(
        game_id="chess",
        name="wins",
        event_types=["won"],
        score="/points",
        operator="sum",
        order="desc",
        periods=["alltime"],
    )
    assert filled() > KEPT
    empty()
    assert filled() == KEPT
