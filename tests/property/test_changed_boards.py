"""A board that changes while scores come in: the old one until the switch, the new one after it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec
import pytest
import redis
from django.db import connection

from apps.contract.chunk import Record
from apps.leaderboards import changes, selectors
from apps.leaderboards.builds import Cancelled
from apps.leaderboards.declaration import declare
from apps.leaderboards.models import Board, BoardBuild, BoardBuildEvent, BoardVersion
from apps.leaderboards.row_reads import BoardSwitched
from apps.leaderboards.rules import Definition
from apps.operations.steps import Silent
from tests.arrivals import Arrivals, Meanwhile, elsewhere
from tests.builders import GAME
from tests.property import test_boards_oracle as sql
from tests.property.test_rebuilt_boards import judge, scopes, started
from tests.totals import top, top_from_rows

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS = sql.SEEDS


def spiced(arrivals: Arrivals) -> None:
    """Some of the chats, which no board counts at first, have no score that a board takes."""
    chance = arrivals.chance

    def bad(record: Record) -> Record:
        if record.event_type != "chat" or chance.random() < 0.7:
            return record
        return msgspec.structs.replace(record, data=msgspec.Raw(b'{"points": "many"}'))

    arrivals.records = [
        *arrivals.records[: arrivals.arrived],
        *map(bad, arrivals.records[arrivals.arrived :]),
    ]


def drawn_anew(rng: random.Random, board: Definition) -> Definition:
    """Another board of the name; some count chats, which no board has counted."""
    made = sql.drawn(rng)
    scoring = dict(made.scoring)
    if rng.random() < 0.6:
        scoring["chat"] = next(iter(scoring.values()))
    return replace(made, name=board.name, scoring=scoring)


def told(board: Definition) -> Board:
    return Board.objects.get(game_id=GAME, name=board.name)


def seen(board: Definition) -> list[tuple[object, ...]]:
    """The board as a reader sees it, who knows how it is defined."""
    return [
        (scope.period, scope.period_start, line.player_id, line.rank_key, line.achieved_at)
        for scope in scopes()
        if scope.board == board.name
        for line in top(scope, 100).lines
    ]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_board_is_changed_while_scores_come_in(seed: int, cache: redis.Redis) -> None:
    rng, definitions, arrivals = started(f"change {seed}")
    spiced(arrivals)
    old, *others = definitions
    new = drawn_anew(rng, old)
    asked = changes.ask(new, by="ada", reason="better")
    looked = changes.run(asked.pk, Meanwhile(arrivals=arrivals))
    assert looked.state == BoardBuild.READY
    # Nothing but a report has come of it.
    assert (told(old).version, selectors.definition(told(old))) == (1, old)
    elsewhere(arrivals.log)
    elsewhere(arrivals.rank)
    sql.fill_raw(arrivals.records[: arrivals.arrived])
    assert sql.held(old) == sql.expected(old)
    before = seen(old)
    changes.approve(asked.pk)
    unseen: list[object] = []

    def still_old(title: str) -> None:
        if title == "the log" and seen(old) != before:
            unseen.append(title)

    quiet = Arrivals(records=[], chance=rng)
    during = Meanwhile(arrivals=rng.choice([arrivals, quiet]))
    if during.arrivals is quiet:
        during.at = still_old
    done = changes.run(asked.pk, during)
    assert (done.state, unseen) == (BoardBuild.DONE, [])
    assert (told(old).version, told(old).generation, selectors.definition(told(old))) == (2, 1, new)
    arrivals.all()
    judge([new, *others], arrivals.records)
    assert BoardVersion.objects.filter(board=told(old)).count() == 2
    assert not BoardBuildEvent.objects.exists()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_boards_are_declared_and_built_from_the_log_side_by_side(
    seed: int, cache: redis.Redis
) -> None:
    """A great board is built, as after its events; a small one comes into being meanwhile."""
    rng, definitions, arrivals = started(f"new {seed}")
    spiced(arrivals)
    great, small = (
        drawn_anew(rng, replace(sql.drawn(rng), name=name)) for name in ("great", "small")
    )

    def at(title: str) -> None:
        if title == moment and not Board.objects.filter(name="small").exists():
            arrivals.log()
            declare(small, by="bo")

    moment = rng.choice(["the log", "what came meanwhile"])
    asked = changes.ask(great, by="ada", approved=True, new=True)
    done = changes.run(
        asked.pk, Meanwhile(arrivals=arrivals, at=lambda title: elsewhere(partial(at, title)))
    )
    assert done.state == BoardBuild.DONE
    arrivals.all()
    judge([great, small, *definitions], arrivals.records)


@pytest.mark.parametrize("title", ["the log", "what came meanwhile"])
def test_a_build_that_is_cancelled_ends_and_changes_nothing(title: str, cache: redis.Redis) -> None:
    rng, definitions, arrivals = started(f"cancelled {title}")
    asked = changes.ask(drawn_anew(rng, definitions[0]), by="ada", approved=True)

    def at(now: str) -> None:
        if now == title:
            elsewhere(partial(changes.cancel, asked.pk))

    with pytest.raises(Cancelled):
        changes.run(asked.pk, Meanwhile(arrivals=arrivals, at=at))
    asked.refresh_from_db()
    assert asked.state == BoardBuild.CANCELLED
    arrivals.all()
    judge(definitions, arrivals.records)
    with pytest.raises(changes.BuildSettled):
        changes.approve(asked.pk)
    assert not BoardBuildEvent.objects.exists()


def dies(work: Callable[[], object]) -> None:
    """Its session ends in the middle of it, as that of a process that is killed."""
    with pytest.raises(Exception, match=r".") as died:
        work()
    assert not isinstance(died.value, AssertionError)
    connection.close()


@pytest.mark.parametrize(
    "title", ["the log", "events that no board counted", "what came meanwhile"]
)
def test_the_next_builder_takes_over_from_one_that_died(title: str, cache: redis.Redis) -> None:
    rng, definitions, arrivals = started(f"died {title}")
    spiced(arrivals)
    new = drawn_anew(rng, definitions[0])
    new = replace(new, scoring={**new.scoring, "chat": next(iter(new.scoring.values()))})
    asked = changes.ask(new, by="ada", approved=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def end() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    def at(now: str) -> None:
        if now == title:
            elsewhere(end)

    dies(lambda: changes.run(asked.pk, Meanwhile(arrivals=arrivals, at=at)))
    arrivals.some()
    arrivals.log()
    assert selectors.definition(told(new)) == definitions[0]
    done = changes.run(asked.pk, Meanwhile(arrivals=arrivals))
    assert done.state == BoardBuild.DONE
    arrivals.all()
    judge([new, *definitions[1:]], arrivals.records)


def test_the_orders_of_the_old_board_are_read_no_more(cache: redis.Redis) -> None:
    rng, definitions, arrivals = started("orders")
    arrivals.all()
    old = definitions[0]
    old_scopes = [scope for scope in scopes() if scope.board == old.name]
    seen(old)
    new = replace(drawn_anew(rng, old), order=old.order, name=old.name)
    asked = changes.ask(new, by="ada", approved=True)
    changes.run(asked.pk, Silent())
    for scope in scopes():
        assert top(scope, 100) == top_from_rows(scope, 100)
    for scope in old_scopes:
        assert -1 not in map(cache.ttl, scope.keys())
        with pytest.raises(BoardSwitched):
            top_from_rows(scope, 10)
