"""What a dead letter of the bridge becomes, and how one is discarded."""

from __future__ import annotations

import pytest
import redis

from apps.contract.envelope import EventInvalid, coordinates_id
from apps.contract.queues import BRIDGE, Consumer
from apps.deadletters import actions
from apps.deadletters.actions import ActionRefused
from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.ledger.replays import Replayed, replay_letter
from apps.ledger.services import apply_chunk
from tests.builders import TOPIC_ID, chunk, event_id, event_text, refused
from tests.letters import LEADERBOARDS, MENDED, bad_score, fields, now, told
from tests.totals import CONSUMERS, events_of, score_of

pytestmark = pytest.mark.django_db


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
