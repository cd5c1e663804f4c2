"""`manage.py rebuild stats`: told in figures, alone, not without a log, and safe to kill."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command

from apps.contract.queues import Consumer
from apps.ledger import coverage
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from apps.operations.steps import Silent
from apps.stats.locks import BUILD
from apps.stats.models import PlayerStatistics, StatsBuild, StatsBuildEvent
from apps.stats.rebuild import rebuild
from apps.stats.selectors import of_player
from tests.builders import GAME, TOPIC_ID, chunk, points_of_the_cast
from tests.copies import counted, read_before
from tests.totals import CONSUMERS, events_of, totals

pytestmark = pytest.mark.django_db(transaction=True)
COUNT = 30


@pytest.fixture(autouse=True)
def applied(cache: redis.Redis) -> None:
    """Thirty events of the cast, in the log and in the statistics."""
    for name in (Consumer.LOGGING, Consumer.STATS):
        apply_chunk(CONSUMERS[name], chunk(points_of_the_cast(COUNT)))
    logged(COUNT)


def logged(next_offset: int) -> None:
    ConsumerPosition.objects.update_or_create(
        consumer=Consumer.LOGGING.value,
        topic_id=TOPIC_ID,
        partition=0,
        defaults={"next_offset": next_offset},
    )


def test_the_command_tells_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    before = totals()
    PlayerStatistics.objects.filter(player_id="bo").update(total_events=999)
    of_player("bo", GAME)
    call_command("rebuild", "stats", game=GAME)
    told = capsys.readouterr().out
    assert f"{COUNT} events in" in told
    assert "1 players changed" in told
    assert totals() == before
    read = of_player("bo", GAME)
    assert read is not None
    assert read.total_events == COUNT // 3


def test_a_row_of_no_event_goes_and_its_copy_with_it() -> None:
    row = PlayerStatistics.objects.get(player_id="bo")
    row.pk, row.player_id = None, "dan"
    row.save(force_insert=True)
    of_player("dan", GAME)
    assert counted(GAME, ["dan"]) == [COUNT // 3]
    rebuild("other game", Silent())
    assert events_of("dan") == COUNT // 3
    rebuild(GAME, Silent())
    assert not PlayerStatistics.objects.filter(player_id="dan").exists()
    assert counted(GAME, ["dan"]) == [None]


def test_two_do_not_rebuild_at_once(other: Any) -> None:
    other.execute("SELECT pg_advisory_lock(%s)", [BUILD])
    with pytest.raises(CommandError, match="Another rebuild"):
        call_command("rebuild", "stats")


def test_a_log_that_is_behind_is_not_rebuilt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "LOG_PATIENCE", 0.05)
    before = totals()
    logged(COUNT - 1)
    with pytest.raises(CommandError, match="the log is behind"):
        call_command("rebuild", "stats")
    assert totals() == before
    apply_chunk(CONSUMERS[Consumer.STATS], chunk(points_of_the_cast(3, first_offset=COUNT)))
    assert not StatsBuildEvent.objects.exists()


def test_consumers_note_for_a_builder_that_lives_and_for_no_dead_one(other: Any) -> None:
    other.execute("SELECT pg_advisory_lock(%s), pg_backend_pid()", [BUILD])
    StatsBuild.objects.create(state=StatsBuild.BUILDING, backend_pid=other.fetchone()[1])
    apply_chunk(CONSUMERS[Consumer.STATS], chunk(points_of_the_cast(3, first_offset=COUNT)))
    assert StatsBuildEvent.objects.count() == 3
    other.execute("SELECT pg_advisory_unlock(%s)", [BUILD])
    apply_chunk(CONSUMERS[Consumer.STATS], chunk(points_of_the_cast(3, first_offset=COUNT + 3)))
    assert StatsBuildEvent.objects.count() == 3


def test_the_next_rebuild_takes_over_from_one_that_was_killed(cache: redis.Redis) -> None:
    StatsBuild.objects.create(state=StatsBuild.BUILDING, backend_pid=1)
    StatsBuildEvent.objects.create(event_id=TOPIC_ID)
    switched = StatsBuild.objects.create(state=StatsBuild.SWITCHED, backend_pid=1)
    PlayerStatistics.objects.filter(player_id="bo").update(
        version=2**62, updated_at=switched.started_at
    )
    read_before(GAME, ["bo"])
    rebuild(None, Silent())
    read = of_player("bo", GAME)
    assert read is not None
    assert read.version == 2**62
    states = StatsBuild.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["failed", "done", "done"]
    assert not StatsBuildEvent.objects.exists()
