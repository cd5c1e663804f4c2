"""Letters whose cause may have been the moment are replayed by themselves, by the formula."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import connection

from apps.contract.queues import Consumer
from apps.deadletters import actions, auto_retry
from apps.deadletters.models import DeadLetter
from apps.deadletters.services import of_event, store
from apps.ledger.replays import Replayed, replay_letter
from apps.stats.services import StatsConsumer
from tests.builders import TOPIC_ID, chunk, event_id, event_text, record
from tests.totals import CONSUMERS, events_of

pytestmark = pytest.mark.django_db


class Racing(StatsConsumer):
    """Meets another insert of the same key, as a race on a second index would."""

    def apply(self, records: str) -> Any:
        with connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute(
                    "INSERT INTO stats_applied_events (event_id) VALUES (%s)", [event_id(99)]
                )


def crashed(offset: int = 7) -> DeadLetter:
    """The letter of an event under which workers died."""
    held = record(offset)
    error = RuntimeError("3 workers died")
    store([of_event(Consumer.STATS, chunk([held]), held, error, cause="crash")])
    return DeadLetter.objects.get()


def wait_of(letter: DeadLetter, cause: str) -> timedelta | None:
    place = auto_retry.place(TOPIC_ID, 0, letter.offset)
    return auto_retry.delay(cause, replays=letter.replays, place=place)


def test_a_new_letter_has_its_retry_by_the_formula() -> None:
    letter = crashed()
    assert letter.next_retry_at is not None
    assert letter.next_retry_at - letter.created_at == wait_of(letter, "crash")


def test_a_letter_that_fails_again_and_again_waits_longer_and_then_for_somebody() -> None:
    letter = crashed()
    for replays in range(1, auto_retry.MOST_REPLAYS):
        began = datetime.now(UTC)
        fail(letter)
        wait = wait_of(letter, "23505")
        assert wait is not None
        assert wait >= timedelta(minutes=2**replays)
        assert letter.next_retry_at is not None
        assert began + wait <= letter.next_retry_at <= datetime.now(UTC) + wait
    fail(letter)
    assert letter.next_retry_at is None


def fail(letter: DeadLetter) -> None:
    actions.replay_one(letter.pk, by="auto-retry")
    assert replay_letter(Racing(), letter.pk) is Replayed.FAILED
    letter.refresh_from_db()
    assert (letter.state, letter.cause) == ("open", "23505")


def test_a_letter_that_is_edited_waits_for_whoever_edited_it(cache: redis.Redis) -> None:
    letter = crashed()
    actions.edit(letter.pk, event_text(event_id=event_id(7)), by="bo")
    letter.refresh_from_db()
    assert letter.next_retry_at is None


def test_a_retry_that_succeeds_takes_effect_once(cache: redis.Redis) -> None:
    letter = crashed()
    actions.replay_one(letter.pk, by="auto-retry")
    assert replay_letter(CONSUMERS[Consumer.STATS], letter.pk) is Replayed.APPLIED
    assert replay_letter(CONSUMERS[Consumer.STATS], letter.pk) is Replayed.NOTHING
    letter.refresh_from_db()
    assert (letter.closed_by, letter.next_retry_at) == ("auto-retry", None)
    assert events_of("ada") == 1
