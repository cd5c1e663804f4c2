"""A dead letter that is replayed takes effect once, whatever dies on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from apps.contract.envelope import EventInvalid, coordinates_id
from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters import actions
from apps.deadletters.actions import ActionRefused
from apps.deadletters.models import DeadLetter, DeadLetterAction
from apps.events.models import Event
from apps.failpoints import points
from apps.failpoints.points import Failpoint, FailpointFired
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.rules import Order
from apps.leaderboards.selectors import top
from apps.ledger.cache import CacheUnavailable
from apps.ledger.replays import Replayed, replay_letter
from apps.ledger.services import apply_chunk
from apps.stats.services import StatsConsumer
from tests.builders import GAME, TOPIC_ID, chunk, event_id, event_text, minutes, record, refused
from tests.totals import CONSUMERS, events_of, score_of, totals

pytestmark = pytest.mark.django_db
LEADERBOARDS = CONSUMERS[Consumer.LEADERBOARDS]
MENDED = event_text(event_id=event_id(7), data={"score": 25})


def bad_score() -> DeadLetter:
    """The dead letter of ada's score that is no number."""
    apply_chunk(LEADERBOARDS, chunk([record(7, data='{"score": "many"}')]))
    return DeadLetter.objects.get()


def now(letter: DeadLetter) -> DeadLetter:
    return DeadLetter.objects.get(pk=letter.pk)


def told(letter: DeadLetter) -> list[str]:
    return list(
        DeadLetterAction.objects.filter(letter=letter)
        .order_by("id")
        .values_list("action", flat=True)
    )


def on_the_board() -> list[tuple[str, Decimal]]:
    scope = BoardPeriod(game_id=GAME, board="default", period=Period.ALLTIME, period_start=EPOCH)
    return [(entry.player_id, entry.score) for entry in top(scope, Order.DESC, 10).entries]


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


def test_an_edit_keeps_the_original_beside_it(cache: redis.Redis) -> None:
    letter = bad_score()
    digits = b'{"score": 0.12345678901234567890123}'
    text = MENDED.replace(b'{"score": 25}', digits)
    actions.edit(letter.pk, text, by="bo")
    found = now(letter)
    assert bytes(found.edited or b"") == text
    assert (found.edited_by, bytes(found.raw)) == ("bo", bytes(letter.raw))
    assert found.original_event == letter.original_event
    actions.replay_one(letter.pk, by="bo")
    replay_letter(LEADERBOARDS, letter.pk)
    standing = score_of("ada")
    assert standing is not None
    assert standing[0] == Decimal("0.12345678901234567890123")


def test_every_edit_is_in_the_audit(cache: redis.Redis) -> None:
    letter = bad_score()
    for by, points_ in (("bo", 1), ("cyd", 2)):
        edited = event_text(event_id=event_id(7), data={"score": points_})
        actions.edit(letter.pk, edited, by=by)
    edits = DeadLetterAction.objects.filter(action="edit").order_by("id")
    assert [edit.by for edit in edits] == ["bo", "cyd"]
    assert '"score": 1' in edits[0].detail["edited"]


@pytest.mark.parametrize(
    ("raw", "code", "pointer"),
    [
        (b"{", "invalid_json", ""),
        (event_text(event_id=event_id(7), player_id=None), "required", "/player_id"),
        (event_text(event_id=event_id(8)), "event_id", "/event_id"),
        (event_text(event_id=event_id(7), timestamp="yesterday"), "rfc3339", "/timestamp"),
        (
            event_text(event_id=event_id(7), timestamp="2027-01-01T00:00:00Z"),
            "future",
            "/timestamp",
        ),
        (event_text(event_id=event_id(7), data=[1]), "type", "/data"),
    ],
)
def test_an_edit_that_is_no_event_names_its_rule_and_changes_nothing(
    cache: redis.Redis, raw: bytes, code: str, pointer: str
) -> None:
    letter = bad_score()
    with pytest.raises(EventInvalid) as refusal:
        actions.edit(letter.pk, raw, by="bo")
    assert (refusal.value.code, refusal.value.pointer) == (code, pointer)
    assert now(letter).edited is None
    assert told(letter) == []


def test_an_edit_may_leave_out_what_the_server_knows(cache: redis.Redis) -> None:
    letter = bad_score()
    actions.edit(letter.pk, event_text(data={"score": 3}), by="bo")
    actions.replay_one(letter.pk, by="bo")
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.APPLIED


def test_an_event_that_was_applied_meanwhile_closes_its_letter_without_effect(
    cache: redis.Redis,
) -> None:
    letter = bad_score()
    apply_chunk(LEADERBOARDS, chunk([record(30, number=7, data='{"score": 4}')]))
    actions.edit(letter.pk, MENDED, by="bo")
    actions.replay_one(letter.pk, by="bo")
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.DUPLICATE
    assert (now(letter).state, now(letter).duplicate) == ("applied", True)
    standing = score_of("ada")
    assert standing is not None
    assert standing[0] == 4


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
    with pytest.raises(CacheUnavailable):
        replay_letter(DiesBeforeRedis(), letter.pk)
    assert events_of("ada") == 1
    assert (now(letter).state, now(letter).committed_at is not None) == ("replaying", True)
    assert not cache.keys("stats:*")
    replay_letter(CONSUMERS[Consumer.STATS], letter.pk)
    assert now(letter).state == "applied"
    assert cache.keys("stats:*")
    assert events_of("ada") == 1


def fields(consumer: str, **changes: Any) -> dict[str, Any]:
    return {
        "original_event": {},
        "error_message": "",
        "consumer_service": consumer,
        "cause": "XX",
        "event_id": event_id(7),
        "topic": "t",
        "topic_id": TOPIC_ID,
        "partition": 0,
        "offset": 7,
        "raw": MENDED,
        **changes,
    }


def test_a_letter_is_replayed_by_its_own_consumer_alone(cache: redis.Redis) -> None:
    letter = DeadLetter.objects.create(**fields("stats"), state="replaying")
    for name in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        assert replay_letter(CONSUMERS[name], letter.pk) is Replayed.NOTHING
    assert now(letter).state == "replaying"


def test_a_refused_message_that_was_mended_takes_effect_once_in_every_consumer(
    cache: redis.Redis,
) -> None:
    logging = CONSUMERS[Consumer.LOGGING]
    apply_chunk(logging, chunk([], refused=[refused(5, b'{"player_id": "ada"')]))
    letter = DeadLetter.objects.get()
    actions.replay_one(letter.pk, by="bo")
    assert replay_letter(logging, letter.pk) is Replayed.FAILED
    assert now(letter).cause == "invalid_json"
    actions.edit(letter.pk, event_text(data={"score": 6}), by="bo")
    actions.replay_one(letter.pk, by="bo")
    assert replay_letter(logging, letter.pk) is Replayed.APPLIED
    assert str(Event.objects.get().event_id) == coordinates_id(TOPIC_ID, 0, 5)
    handed_on = DeadLetter.objects.filter(cause="fan_out").order_by("consumer_service")
    assert [(row.consumer_service, row.state) for row in handed_on] == [
        ("leaderboards", "replaying"),
        ("stats", "replaying"),
    ]
    for row in [*handed_on, *handed_on]:
        replay_letter(CONSUMERS[Consumer(row.consumer_service)], row.pk)
    assert events_of("ada") == 1
    standing = score_of("ada")
    assert standing is not None
    assert standing[0] == 6
    assert set(DeadLetter.objects.values_list("state", flat=True)) == {"applied"}
    assert now(letter).consumer_service == BRIDGE


def test_a_refused_message_keeps_the_id_that_it_bears(cache: redis.Redis) -> None:
    raw = b'{"event_id": "%s", "player_id": 7}' % event_id(3).encode()
    apply_chunk(CONSUMERS[Consumer.LOGGING], chunk([], refused=[refused(5, raw, code="type")]))
    letter = DeadLetter.objects.get()
    with pytest.raises(EventInvalid, match=event_id(3)):
        actions.edit(letter.pk, event_text(event_id=event_id(4)), by="bo")
    actions.edit(letter.pk, event_text(), by="bo")
    actions.replay_one(letter.pk, by="bo")
    replay_letter(CONSUMERS[Consumer.LOGGING], letter.pk)
    assert str(Event.objects.get().event_id) == event_id(3)


def test_what_kafka_dropped_can_only_be_discarded() -> None:
    letter = DeadLetter.objects.create(**fields("bridge", cause="retention_gap", raw=b""))
    with pytest.raises(ActionRefused, match="there are no bytes"):
        actions.replay_one(letter.pk, by="bo")
    assert now(letter).state == "open"
    actions.discard_one(letter.pk, by="bo", reason="older than a week")
    assert now(letter).state == "discarded"


def test_a_discard_is_final_unless_it_is_reopened(cache: redis.Redis) -> None:
    letter = bad_score()
    actions.discard_one(letter.pk, by="bo", reason="a cheater")
    with pytest.raises(ActionRefused, match="it is discarded"):
        actions.replay_one(letter.pk, by="bo")
    with pytest.raises(ActionRefused, match="it is discarded"):
        actions.discard_one(letter.pk, by="bo")
    with pytest.raises(ActionRefused, match="it is discarded"):
        actions.edit(letter.pk, MENDED, by="bo")
    assert replay_letter(LEADERBOARDS, letter.pk) is Replayed.NOTHING
    actions.reopen(letter.pk, by="cyd")
    assert (now(letter).state, now(letter).closed_at) == ("open", None)
    assert told(letter) == ["discard", "reopen"]


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
