"""Boards as they are kept, as they are rebuilt, and as SQL makes them of raw events: the same."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import redis
from django.db import connection

from apps.contract.chunk import Record
from apps.leaderboards import rank_index, selectors
from apps.leaderboards.declaration import declare
from apps.leaderboards.models import BoardBuild, BoardBuildEvent, Entry
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.rebuild import rebuild
from apps.leaderboards.rules import Definition
from apps.operations.steps import Silent
from tests.arrivals import Arrivals, Meanwhile
from tests.builders import GAME
from tests.property import test_boards_oracle as sql
from tests.totals import top, top_from_rows, totals

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS = sql.SEEDS
DAMAGES = (
    "DELETE FROM leaderboards WHERE player_id = 'ada'",
    "DELETE FROM leaderboards WHERE period = 'alltime'",
    "UPDATE leaderboards SET score = score + 1",
    "UPDATE leaderboards SET achieved_at = achieved_at - interval '1 s' WHERE player_id = 'bo'",
    "UPDATE leaderboards SET rank_key = 0, moved = NOT moved",
    "UPDATE leaderboards SET player_id = player_id || '-twin'",
    "UPDATE leaderboards SET period_start = period_start - interval '7 d' WHERE player_id = 'cyd'",
)


def started(seed: object, count: int = 60) -> tuple[random.Random, list[Definition], Arrivals]:
    """Some boards, and about half of the events applied."""
    rng = random.Random(f"built {seed}")
    sql.start_over()
    BoardBuild.objects.all().delete()
    definitions = [sql.drawn(rng) for _ in range(sql.BOARDS)]
    for definition in definitions:
        assert declare(definition, by="ada")
    records = sql.stream(rng, count)
    rng.shuffle(records)
    arrivals = Arrivals(records=records, chance=rng)
    while arrivals.arrived < count // 2:
        arrivals.arrive()
    arrivals.log()
    arrivals.rank()
    return rng, definitions, arrivals


def judge(definitions: Sequence[Definition], records: Sequence[Record]) -> None:
    sql.judge(definitions, records)
    for scope in scopes():
        assert top(scope, 100) == top_from_rows(scope, 100)


def scopes() -> list[BoardPeriod]:
    rows = Entry.objects.values_list("game_id", "board", "period", "period_start").distinct()
    places = rank_index.places_of(
        ((*row, "", 0, row[3], 0) for row in rows), selectors.generations([GAME])
    )
    return [place.scope for place in places]


def damage(rng: random.Random) -> None:
    with connection.cursor() as cursor:
        for statement in rng.sample(DAMAGES, 3):
            cursor.execute(statement)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_live_rebuilt_and_counted_are_one(seed: int, cache: redis.Redis) -> None:
    rng, definitions, arrivals = started(seed)
    for scope in scopes():
        top(scope, 1)
    damage(rng)
    whose = rng.choice([None, GAME])
    rebuild(whose, None, Meanwhile(arrivals=arrivals))
    arrivals.all()
    judge(definitions, arrivals.records)
    assert [build.state for build in BoardBuild.objects.all()] == ["done"]
    assert not BoardBuildEvent.objects.exists()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_one_board_is_rebuilt_and_the_others_are_left(seed: int, cache: redis.Redis) -> None:
    rng, definitions, arrivals = started(f"one {seed}")
    damage(rng)
    chosen, *others = rng.sample(definitions, len(definitions))
    before = {other.name: sql.held(other) for other in others}
    rebuild(GAME, chosen.name, Silent())
    sql.fill_raw(arrivals.records[: arrivals.arrived])
    assert sql.held(chosen) == sql.expected(chosen)
    assert before == {other.name: sql.held(other) for other in others}


@pytest.mark.parametrize("seed", range(3))
def test_a_rebuild_of_what_is_right_writes_nothing(seed: int, cache: redis.Redis) -> None:
    _, _, arrivals = started(f"right {seed}")
    arrivals.all()
    before = totals(), set(Entry.objects.values_list("pk", "version", "updated_at"))
    done = rebuild(None, None, Silent())
    assert (done.events > 0, done.changed) == (True, 0)
    assert before == (totals(), set(Entry.objects.values_list("pk", "version", "updated_at")))
