"""`manage.py rebuild leaderboards`: told in figures, alone, not without a log, and safe to kill."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import connection

from apps.contract.queues import Consumer
from apps.leaderboards import rank_index
from apps.leaderboards.locks import BUILD
from apps.leaderboards.models import BoardBuild, BoardBuildEvent, Entry
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.rebuild import rebuild
from apps.ledger import coverage
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from apps.operations.steps import Silent
from gamemetrics.stack.layout import PROJECT_ROOT
from tests.builders import GAME, TOPIC_ID, chunk, points_of_the_cast, record
from tests.totals import CONSUMERS, top, top_from_rows, totals

pytestmark = pytest.mark.django_db(transaction=True)
COUNT = 30
SCOPE = BoardPeriod(game_id=GAME, board="default", period=Period.ALLTIME, period_start=EPOCH)


@pytest.fixture(autouse=True)
def applied(cache: redis.Redis) -> None:
    """Thirty events of the cast, in the log and on the board, whose order Redis has."""
    for name in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        apply_chunk(CONSUMERS[name], chunk(points_of_the_cast(COUNT)))
    logged(COUNT)
    top(SCOPE, 10)


def logged(next_offset: int) -> None:
    ConsumerPosition.objects.update_or_create(
        consumer=Consumer.LOGGING.value,
        topic_id=TOPIC_ID,
        partition=0,
        defaults={"next_offset": next_offset},
    )


def come(first_offset: int, count: int = 3) -> None:
    some = points_of_the_cast(count, first_offset=first_offset)
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk(some))


def test_the_command_tells_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    before = totals()
    Entry.objects.filter(player_id="bo", period="alltime").update(score=999, rank_key=-999)
    call_command("rebuild", "leaderboards", "--game", GAME)
    told = capsys.readouterr().out
    assert f"{COUNT} events in" in told
    assert "1 entries changed" in told
    assert totals() == before
    assert top(SCOPE, 10) == top_from_rows(SCOPE, 10)


def test_an_entry_of_no_event_goes_and_one_that_was_deleted_comes_back() -> None:
    before = top(SCOPE, 10)
    row = Entry.objects.get(player_id="bo", period="alltime")
    row.pk, row.player_id = None, "dan"
    row.save(force_insert=True)
    Entry.objects.filter(player_id="ada").delete()
    rank_index.mark_incomplete(SCOPE)
    rebuild("other game", None, Silent())
    assert top(SCOPE, 10).total == 3
    rebuild(GAME, "default", Silent())
    assert top(SCOPE, 10) == before == top_from_rows(SCOPE, 10)


def test_a_board_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="no board 'nothing'"):
        call_command("rebuild", "leaderboards", "--game", GAME, "--board", "nothing")
    with pytest.raises(CommandError, match="needs --game"):
        call_command("rebuild", "leaderboards", "--board", "default")


def test_two_do_not_build_at_once(other: Any) -> None:
    other.execute("SELECT pg_advisory_lock(%s)", [BUILD])
    with pytest.raises(CommandError, match="Another rebuild"):
        call_command("rebuild", "leaderboards")


def test_a_log_that_is_behind_is_not_rebuilt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "LOG_PATIENCE", 0.05)
    before = totals()
    logged(COUNT - 1)
    with pytest.raises(CommandError, match="the log is behind"):
        call_command("rebuild", "leaderboards")
    assert totals() == before
    come(COUNT)
    assert not BoardBuildEvent.objects.exists()


def test_consumers_note_for_a_builder_that_lives_and_for_no_dead_one(other: Any) -> None:
    other.execute("SELECT pg_advisory_lock(%s), pg_backend_pid()", [BUILD])
    BoardBuild.objects.create(state=BoardBuild.BUILDING, backend_pid=other.fetchone()[1])
    come(COUNT)
    assert BoardBuildEvent.objects.count() == 3
    bad = record(COUNT + 3, data='{"score": "many"}')
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([bad]))
    assert BoardBuildEvent.objects.count() == 3
    other.execute("SELECT pg_advisory_unlock(%s)", [BUILD])
    come(COUNT + 4)
    assert BoardBuildEvent.objects.count() == 3


def test_the_next_rebuild_takes_over_from_one_that_was_killed(cache: redis.Redis) -> None:
    BoardBuild.objects.create(state=BoardBuild.BUILDING, backend_pid=1)
    BoardBuildEvent.objects.create(event_id=TOPIC_ID)
    # Switched, and killed before Redis knew: bo is first, and dan is gone.
    stale = [[GAME, "default", "alltime", EPOCH.isoformat()]]
    switched = BoardBuild.objects.create(state=BoardBuild.SWITCHED, backend_pid=1, stale=stale)
    BoardBuild.objects.filter(pk=switched.pk).update(started_at=switched.created_at)
    cache.hset(SCOPE.keys()[1], "dan", "1 m0")
    rebuild(None, None, Silent())
    assert top(SCOPE, 10) == top_from_rows(SCOPE, 10)
    states = BoardBuild.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["failed", "done", "done"]
    assert not BoardBuildEvent.objects.exists()


KILLED = """
import os, signal, django
django.setup()
from apps.leaderboards.rebuild import rebuild

class Display:
    def begin(self, title, total):
        if title == {step!r}:
            os.kill(os.getpid(), signal.SIGKILL)
    def advance(self, items): pass
    def end(self): pass

rebuild(None, None, Display())
"""


@pytest.mark.parametrize("step", ["the log", "what came meanwhile", "copies in Redis"])
def test_a_builder_that_is_killed_leaves_nothing_that_the_next_does_not_mend(step: str) -> None:
    before = totals()
    Entry.objects.filter(player_id="bo").delete()
    Entry.objects.filter(player_id="cyd").update(score=7)
    parameters = connection.get_connection_params()
    address = "postgres://{user}:{password}@{host}:{port}/{dbname}".format(**parameters)
    died = subprocess.run(
        [sys.executable, "-c", KILLED.format(step=step)],
        env={**os.environ, "DATABASE_URL": address},
        cwd=PROJECT_ROOT,
        timeout=200,
    )
    assert died.returncode == -9
    come(COUNT)
    apply_chunk(CONSUMERS[Consumer.LOGGING], chunk(points_of_the_cast(3, first_offset=COUNT)))
    logged(COUNT + 3)
    rebuild(None, None, Silent())
    after = totals()
    assert after.events > before.events
    done = rebuild(None, None, Silent())
    assert done.changed == 0
    assert top(SCOPE, 10) == top_from_rows(SCOPE, 10)
