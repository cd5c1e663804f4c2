"""What the waiting dead letters keep to: those in PostgreSQL and those in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from apps.contract.queues import Consumer
from bridge.replays import (
    FIRST_LEASE,
    LONGEST_LEASE,
    MOST_REPLAYING,
)
from tests.builders import NOW
from tests.waiting_letters import InMemory, InPostgresql, Subject, replaying, sent

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=[InMemory, InPostgresql], ids=["memory", "postgresql"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made: Subject = request.param()
    yield made
    made.replays.close()


def test_there_is_nothing_to_do_with_letters_that_nobody_replays(subject: Subject) -> None:
    subject.letter("stats")
    subject.letter("stats", state="applied", next_send_at=NOW)
    subject.letter("stats", next_retry_at=NOW + SECOND)
    assert not subject.replays.work(NOW)
    assert sent(subject, NOW) == []
    assert subject.replays.retry(NOW, 100) == 0


def test_a_letter_goes_to_the_consumer_that_failed_and_a_refused_message_to_the_log(
    subject: Subject,
) -> None:
    for name in ("stats", "leaderboards", "logging", "bridge"):
        subject.letter(name, **replaying())
    assert subject.replays.work(NOW).to_send
    assert [item.consumer for item in subject.replays.to_send(NOW, 100)] == [
        *(Consumer.STATS, Consumer.LEADERBOARDS, Consumer.LOGGING, Consumer.LOGGING)
    ]


def test_a_letter_is_sent_again_only_when_its_lease_is_over(subject: Subject) -> None:
    letter = subject.letter("stats", **replaying())
    now, lease = NOW, FIRST_LEASE
    for sends in range(1, 7):
        (item,) = subject.replays.to_send(now, 100)
        assert (item.letter, item.sends) == (letter, sends)
        assert not subject.replays.work(now + lease - SECOND)
        assert sent(subject, now + lease - SECOND) == []
        now += lease
        lease = min(lease * 2, LONGEST_LEASE)


def test_those_that_wait_longest_are_sent_first(subject: Subject) -> None:
    letters = [subject.letter("stats", **replaying(NOW - n * SECOND)) for n in range(3)]
    assert sent(subject, NOW, 2) == letters[1:]
    assert sent(subject, NOW, 2) == letters[:1]


def test_a_letter_is_retried_when_its_time_has_come(subject: Subject) -> None:
    letter = subject.letter("stats", cause="crash", next_retry_at=NOW)
    assert subject.replays.work(NOW).to_retry
    assert subject.replays.retry(NOW, 100) == 1
    assert subject.states() == ["replaying"]
    assert sent(subject, NOW) == [letter]
    assert subject.replays.retry(NOW, 100) == 0


def test_a_job_releases_at_its_rate(subject: Subject) -> None:
    for _ in range(25):
        subject.letter("stats")
    job = subject.job(per_second=10)
    assert subject.replays.work(NOW).jobs == (job,)
    found = [subject.replays.advance(job, NOW + n * SECOND / 2) for n in range(8)]
    assert found == [0, 5, 5, 5, 5, 5, 0, 0]
    assert subject.job_of(job) == ("done", 25)
    assert not subject.replays.work(NOW).jobs


def test_a_job_that_was_away_saves_up_one_second_at_most(subject: Subject) -> None:
    for _ in range(25):
        subject.letter("stats")
    job = subject.job(per_second=10)
    assert subject.replays.advance(job, NOW + 60 * SECOND) == 10


def test_a_job_takes_the_open_letters_of_its_filter_that_were_there_at_its_start(
    subject: Subject,
) -> None:
    subject.letter("stats", cause="22003")
    subject.letter("leaderboards", cause="score_invalid")
    subject.letter("leaderboards", cause="22003", state="discarded")
    subject.letter("leaderboards", cause="22003")
    subject.letter("leaderboards", cause="retention_gap")
    job = subject.job(consumer_service="leaderboards", cause="22003")
    everything = subject.job(consumer_service="leaderboards")
    subject.letter("leaderboards", cause="22003")
    assert subject.replays.advance(job, NOW + SECOND) == 1
    assert subject.job_of(job) == ("done", 1)
    assert subject.replays.advance(everything, NOW + SECOND) == 1
    assert subject.states() == [
        *("open", "replaying", "discarded", "replaying", "open", "open"),
    ]


def test_a_job_discards(subject: Subject) -> None:
    subject.letter("leaderboards", cause="retention_gap")
    subject.letter("stats", **replaying())
    job = subject.job("discard")
    assert subject.replays.advance(job, NOW + SECOND) == 1
    assert subject.states() == ["discarded", "replaying"]
    assert subject.job_of(job) == ("done", 1)


@pytest.mark.parametrize("state", ["paused", "cancelled"])
def test_a_job_that_is_stopped_halfway_stays_there_and_undoes_nothing(
    subject: Subject, state: str
) -> None:
    for _ in range(10):
        subject.letter("stats")
    job = subject.job(per_second=5)
    assert subject.replays.advance(job, NOW + SECOND) == 5
    subject.set_job(job, state)
    assert subject.replays.work(NOW + 2 * SECOND).jobs == ()
    assert subject.replays.advance(job, NOW + 2 * SECOND) == 0
    assert subject.states() == ["replaying"] * 5 + ["open"] * 5
    subject.set_job(job, "running")
    assert subject.replays.advance(job, NOW + 9 * SECOND) == 5
    assert subject.job_of(job) == ("done", 10)


def test_a_job_without_letters_is_done_at_once(subject: Subject) -> None:
    job = subject.job()
    assert subject.replays.advance(job, NOW + SECOND) == 0
    assert subject.job_of(job) == ("done", 0)


def test_letters_that_were_closed_connect_anew(subject: Subject) -> None:
    letter = subject.letter("stats", **replaying())
    subject.replays.close()
    assert sent(subject, NOW) == [letter]


def test_a_job_whose_letters_nobody_takes_stops_to_release_more(subject: Subject) -> None:
    for _ in range(MOST_REPLAYING - 1):
        subject.letter("stats", **replaying())
    for _ in range(3):
        subject.letter("stats")
    job = subject.job(per_second=500)
    assert [subject.replays.advance(job, NOW + n * SECOND) for n in (1, 2)] == [1, 0]
    assert subject.job_of(job) == ("running", 1)
