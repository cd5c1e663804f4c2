"""A dead letter that is replayed takes effect once, whatever dies on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from apps.contract.queues import Consumer
from apps.deadletters import actions
from apps.deadletters.actions import ActionRefused
from apps.deadletters.models import DeadLetter, DeadLetterAction
from apps.failpoints import points
from apps.failpoints.points import Failpoint, FailpointFired
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.ledger.cache import CacheUnavailable
from apps.ledger.replays import Replayed, replay_letter
from apps.ledger.services import apply_chunk
from apps.stats.services import StatsConsumer
from tests.builders import GAME, chunk, event_id, event_text, minutes, record
from tests.copies import counted, read_before
from tests.letters import LEADERBOARDS, MENDED, bad_score, fields, now, told
from tests.totals import CONSUMERS, events_of, score_of, shown, totals

pytestmark = pytest.mark.django_db


def on_the_board() -> list[tuple[str, Decimal]]:
    scope = BoardPeriod(game_id=GAME, board="default", period=Period.ALLTIME, period_start=EPOCH)
    return shown(scope, 10)


@pytest.fixture
def armed(tmp_path: Path) -> Any:
    """Have a place raise, until it is called with None."""
    path = tmp_path / "failpoints.json"

    def arm(point: Failpoint | None) -> None:
        points.arm(str(path) if point else None)
        if point:
            path.write_text(f'{{"{point}": {{"action": "raise"}}}}')

    yield arm
    points.arm(None)


def test_a_mended_score_is_applied_once_and_shown(cache: redis.Redis) -> None:
    letter = bad_score()
    actions.edit(letter.pk, MENDED, by="bo")
    actions.replay_one(letter.pk, by="bo")
    assert now(letter).state == "replaying"
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.APPLIED
    found = now(letter)
    assert (found.state, found.replays, found.closed_by, found.duplicate) == (
        *("applied", 1, "bo"),
        False,
    )
    assert found.closed_at is not None
    assert score_of("ada") == (Decimal(25), minutes(0))
    assert on_the_board() == [("ada", Decimal(25))]
    assert told(letter) == ["edit", "replay", "applied"]


def test_a_letter_that_is_replayed_twice_is_applied_once(cache: redis.Redis) -> None:
    letter = bad_score()
    actions.edit(letter.pk, MENDED, by="bo")
    assert actions.replay([letter.pk], by="bo") == 1
    assert actions.replay([letter.pk], by="cyd") == 0
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.APPLIED
    before = totals()
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.NOTHING
    assert actions.replay([letter.pk], by="bo") == 0
    assert totals() == before
    with pytest.raises(ActionRefused, match="it is applied"):
        actions.replay_one(letter.pk, by="bo")


def test_a_letter_that_fails_again_is_open_with_the_new_cause_and_the_old_one_in_the_audit(
    cache: redis.Redis,
) -> None:
    letter = bad_score()
    actions.edit(letter.pk, event_text(event_id=event_id(7), data={"score": [1]}), by="bo")
    actions.replay_one(letter.pk, by="bo")
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.FAILED
    found = now(letter)
    assert (found.state, found.replays, found.next_retry_at) == ("open", 1, None)
    assert found.error_message == "data/score must be a number, is list"
    detail = DeadLetterAction.objects.get(action="failed").detail
    assert detail["error_before"] == "data/score must be a number, is str"
    assert score_of("ada") is None
    actions.edit(letter.pk, MENDED, by="bo")
    actions.replay_one(letter.pk, by="bo")
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.APPLIED
    assert now(letter).replays == 2


def test_an_event_that_was_applied_meanwhile_closes_its_letter_without_effect(
    cache: redis.Redis,
) -> None:
    letter = bad_score()
    actions.edit(letter.pk, MENDED, by="bo")
    actions.replay_one(letter.pk, by="bo")
    apply_chunk(LEADERBOARDS, chunk([record(30, number=7, data='{"score": 4}')]))
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.DUPLICATE
    assert (now(letter).state, now(letter).duplicate) == ("applied", True)
    standing = score_of("ada")
    assert standing is not None
    assert standing[0] == 4


def test_an_event_that_comes_again_and_is_applied_is_no_open_letter_any_more(
    cache: redis.Redis,
) -> None:
    letter = bad_score()
    others = [record(30, data='{"score": 1}'), record(31, number=8, data='{"score": "many"}')]
    apply_chunk(LEADERBOARDS, chunk(others))
    assert now(letter).state == "open"
    again = record(32, number=7, data='{"score": 4}')
    apply_chunk(LEADERBOARDS, chunk([again, record(33, number=8, data='{"score": "many"}')]))
    assert (now(letter).state, now(letter).duplicate) == ("applied", True)
    assert now(letter).closed_by == "repeat"
    assert DeadLetterAction.objects.filter(letter=letter, action="applied").count() == 1
    # What failed again stays open.
    assert list(DeadLetter.objects.filter(state="open").values_list("offset", flat=True)) == [31]


def test_a_redelivery_of_the_bad_event_after_its_replay_changes_nothing(
    cache: redis.Redis,
) -> None:
    letter = bad_score()
    actions.edit(letter.pk, MENDED, by="bo")
    actions.replay_one(letter.pk, by="bo")
    replay_letter(LEADERBOARDS, letter.pk)
    before = totals()
    outcome = apply_chunk(LEADERBOARDS, chunk([record(90, number=7, data='{"score": "many"}')]))
    assert (outcome.applied, outcome.dead) == (0, 0)
    assert totals() == before


@pytest.mark.parametrize("point", [Failpoint.REPLAY_APPLIED, Failpoint.REPLAY_COMMITTED])
def test_a_worker_that_dies_on_the_way_leaves_the_letter_to_the_next(
    cache: redis.Redis, armed: Callable[[Failpoint | None], None], point: Failpoint
) -> None:
    letter = bad_score()
    on_the_board()
    actions.edit(letter.pk, MENDED, by="bo")
    actions.replay_one(letter.pk, by="bo")
    armed(point)
    with pytest.raises(FailpointFired):
        replay_letter(LEADERBOARDS, letter.pk)
    assert now(letter).state == "replaying"
    assert on_the_board() == []
    armed(None)
    replay_letter(LEADERBOARDS, letter.pk)
    assert now(letter).state == "applied"
    assert on_the_board() == [("ada", Decimal(25))]
    assert told(letter) == ["edit", "replay", "applied"]


class DiesBeforeRedis(StatsConsumer):
    """Commits, and never comes to its Redis write."""

    def refresh(self, changes: list[Any]) -> None:
        raise CacheUnavailable("Redis is away")


def test_a_letter_is_applied_only_when_redis_has_it(cache: redis.Redis) -> None:
    letter = DeadLetter.objects.create(**fields("stats"), state="replaying")
    read_before(GAME, ["ada"])
    with pytest.raises(CacheUnavailable):
        replay_letter(DiesBeforeRedis(), letter.pk)
    assert events_of("ada") == 1
    assert (now(letter).state, now(letter).committed_at is not None) == ("replaying", True)
    assert counted(GAME, ["ada"]) == [0]
    replay_letter(CONSUMERS[Consumer.STATS], letter.pk)
    assert now(letter).state == "applied"
    assert counted(GAME, ["ada"]) == [1]
    assert events_of("ada") == 1


def test_a_letter_is_replayed_by_its_own_consumer_alone(cache: redis.Redis) -> None:
    letter = DeadLetter.objects.create(**fields("stats"), state="replaying")
    for name in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        assert replay_letter(CONSUMERS[name], letter.pk) is Replayed.NOTHING
    assert now(letter).state == "replaying"


def test_a_letter_that_kills_its_workers_is_opened_again(cache: redis.Redis) -> None:
    letter = DeadLetter.objects.create(**fields("stats"), state="replaying", sends=2, unfinished=3)
    assert replay_letter(CONSUMERS[Consumer.STATS], letter.pk) is Replayed.FAILED
    found = now(letter)
    assert (found.state, found.cause) == ("open", "crash")
    assert found.next_retry_at is not None
    assert found.next_retry_at > found.created_at + timedelta(seconds=59)


def test_a_worker_that_survives_its_failure_does_not_count_as_dead(cache: redis.Redis) -> None:
    letter = DeadLetter.objects.create(**fields("stats"), state="replaying", sends=2)
    for _ in range(5):
        points_before = now(letter).unfinished
        with pytest.raises(CacheUnavailable):
            replay_letter(FailsInside(), letter.pk)
        assert now(letter).unfinished == points_before == 0


class FailsInside(StatsConsumer):
    """Meets an outage inside the transaction."""

    def apply(self, records: str) -> Any:
        raise CacheUnavailable("a server is away")
