"""An edited dead letter that was replayed is what its consumer was given; repair gives it back."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
import redis

from apps.contract.queues import Consumer
from apps.deadletters import actions
from apps.deadletters import services as dead_letters
from apps.deadletters.models import DeadLetter, DeadLetterAction
from apps.events.models import Event
from apps.leaderboards.models import Entry, LeaderboardsAppliedEvent
from apps.ledger.replays import Replayed, replay_letter
from apps.reconcile.findings import Kind
from apps.stats.models import PlayerStatistics, StatsAppliedEvent
from tests.builders import GAME, chunk, event_id, event_text, parsed
from tests.kafka_clients import client_of
from tests.reconciling import World, scored
from tests.totals import CONSUMERS, score_of, totals

pytestmark = pytest.mark.django_db(transaction=True)
COUNT = 6
LOST = 77
ACCEPTED = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)


@pytest.fixture
def world(kafka: str, cache: redis.Redis) -> World:
    """Six scores of the cast, applied by all three consumers."""
    world = World.new(client_of(kafka))
    world.publish(scored(range(COUNT)))
    world.apply()
    return world


def lost_text(score: object) -> bytes:
    return event_text(
        event_id=event_id(LOST),
        ingested_at=ACCEPTED.isoformat(),
        timestamp="2026-11-20T11:29:00Z",
        data={"score": score},
    )


def publish(world: World, score: object) -> None:
    """ada's event 77, applied by whoever can."""
    world.publish([lost_text(score)])
    world.apply()


def refuse(world: World, consumer: Consumer) -> None:
    """As if the consumer had refused event 77: its dead letter instead of its claim and effect."""
    lost = msgspec.structs.replace(parsed(COUNT, lost_text(3)), ingested_at=ACCEPTED)
    error = ValueError("no room")
    letter = dead_letters.of_event(consumer, chunk([lost]), lost, error, cause="22000")
    dead_letters.store([letter])


def mend(**changes: object) -> DeadLetter:
    """Edit the only dead letter, and replay it."""
    letter = DeadLetter.objects.get()
    actions.edit(letter.pk, event_text(event_id=event_id(LOST), **changes), by="bo")
    actions.replay_one(letter.pk, by="bo")
    consumer = CONSUMERS[Consumer(letter.consumer_service)]
    assert replay_letter(consumer, letter.pk) is Replayed.APPLIED
    return letter


def test_an_edited_score_stands_and_is_given_back(world: World) -> None:
    publish(world, "a lot")
    letter = mend(data={"score": 50})
    before = totals()
    assert world.is_clean()
    Entry.objects.filter(player_id="ada").update(score=1, rank_key=-1)
    LeaderboardsAppliedEvent.objects.filter(pk=event_id(LOST)).delete()
    told = world.reconcile(repair=True)
    assert told.ids(Kind.NOT_APPLIED, "leaderboards") == [event_id(LOST)]
    standing = score_of("ada")
    assert standing is not None and standing[0] == 0 + 3 + 50
    assert totals() == before
    letter.refresh_from_db()
    assert (letter.state, letter.duplicate) == ("applied", False)
    assert world.is_clean()


def test_an_edit_to_what_no_board_counts_is_no_missing_claim(world: World) -> None:
    publish(world, "a lot")
    mend(event_type="chat", data={})
    assert world.is_clean()


def test_an_edited_type_counts_for_statistics_and_is_given_back(world: World) -> None:
    publish(world, 3)
    StatsAppliedEvent.objects.filter(pk=event_id(LOST)).delete()
    PlayerStatistics.objects.filter(player_id="ada").delete()
    refuse(world, Consumer.STATS)
    mend(event_type="chat", data={})
    told = world.reconcile(repair=True)  # the row that the test deleted, with the edit in it
    assert {found.where.split("/")[1] for found in told.of(Kind.STATISTICS_DIFFER)} == {"ada"}
    row = PlayerStatistics.objects.get(player_id="ada")
    assert row.event_breakdown["chat"] == 1
    assert row.total_events == COUNT // 3 + 1
    assert world.is_clean()
    DeadLetter.objects.update(state="replaying")  # committed; Redis is still to be written
    assert world.is_clean()


def test_an_edit_in_the_log_is_the_logs_alone_and_is_given_back(world: World) -> None:
    publish(world, 3)
    Event.objects.filter(pk=event_id(LOST)).delete()
    refuse(world, Consumer.LOGGING)
    before = totals()
    mend(data={"score": 60})
    assert Event.objects.get(pk=event_id(LOST)).data == {"score": 60}
    assert world.is_clean()
    Event.objects.filter(pk=event_id(LOST)).update(data={"score": 61})
    assert world.reconcile(repair=True).ids(Kind.LOG_ROW_DIFFERS) == [event_id(LOST)]
    assert Event.objects.get(pk=event_id(LOST)).data == {"score": 60}
    Event.objects.filter(pk=event_id(LOST)).delete()
    assert world.reconcile(repair=True).ids(Kind.NOT_IN_LOG) == [event_id(LOST)]
    assert Event.objects.get(pk=event_id(LOST)).data == {"score": 60}
    assert totals().entries == before.entries
    assert totals().statistics == before.statistics
    assert world.is_clean()


def test_what_reconcile_does_with_a_letter_is_in_its_audit(world: World) -> None:
    publish(world, "a lot")
    letter = mend(data={"score": 50})
    LeaderboardsAppliedEvent.objects.filter(pk=event_id(LOST)).delete()
    # An edit that took no effect is none: the log's event is driven again, and refused.
    DeadLetter.objects.update(duplicate=True)
    told = world.reconcile(repair=True)
    assert told.ids(Kind.NOT_APPLIED, "leaderboards") == [event_id(LOST)]
    letter.refresh_from_db()
    assert (letter.state, letter.committed_at, letter.closed_at) == ("open", None, None)
    LeaderboardsAppliedEvent.objects.create(event_id=event_id(LOST))
    DeadLetter.objects.update(event_id=event_id(0))
    world.reconcile(repair=True)
    letter.refresh_from_db()
    assert (letter.state, letter.duplicate, letter.closed_by) == ("applied", True, "reconcile")
    assert letter.committed_at is not None and letter.next_retry_at is None
    noted = DeadLetterAction.objects.filter(by="reconcile").order_by("id")
    assert [row.action for row in noted] == ["failed", "applied"]
    assert score_of("ada") is not None
    assert PlayerStatistics.objects.get(player_id="ada", game_id=GAME).total_events == 3
