"""What the waiting dead letters keep to: those in PostgreSQL and those in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest
from django.db import connection

from apps.contract.queues import Consumer
from apps.deadletters import jobs
from apps.deadletters.models import DeadLetter, DeadLetterAction, DeadLetterJob
from apps.deadletters.selection import Selection
from bridge.replays import (
    FIRST_LEASE,
    LONGEST_LEASE,
    MOST_REPLAYING,
    PostgresReplays,
    Replays,
    ReplaysUnavailable,
)
from bridge.replays_fake import MemoryJob, MemoryLetter, MemoryReplays
from gamemetrics.environment import DatabaseSettings
from tests.admin_site import new_letter
from tests.builders import NOW

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


class Subject(Protocol):
    """Waiting letters under test, and how they come to be."""

    replays: Replays

    def letter(self, consumer: str, **changes: Any) -> int: ...

    def job(self, action: str = "replay", per_second: int = 10, **filters: str) -> int: ...

    def set_job(self, job: int, state: str) -> None: ...

    def states(self) -> list[str]: ...

    def job_of(self, job: int) -> tuple[str, int]: ...


class InMemory:
    def __init__(self) -> None:
        self.replays: Replays
        self.memory = self.replays = MemoryReplays()

    def letter(self, consumer: str, **changes: Any) -> int:
        number = len(self.memory.letters) + 1
        self.memory.letters[number] = MemoryLetter(consumer_service=consumer, **changes)
        return number

    def job(self, action: str = "replay", per_second: int = 10, **filters: str) -> int:
        number = len(self.memory.jobs) + 1
        self.memory.jobs[number] = MemoryJob(
            action=action,
            filter=filters,
            per_second=per_second,
            max_id=max(self.memory.letters, default=0),
            paced_at=NOW,
        )
        return number

    def set_job(self, job: int, state: str) -> None:
        self.memory.jobs[job].state = state

    def states(self) -> list[str]:
        return [letter.state for _, letter in sorted(self.memory.letters.items())]

    def job_of(self, job: int) -> tuple[str, int]:
        return self.memory.jobs[job].state, self.memory.jobs[job].released


def dsn() -> str:
    parameters = connection.get_connection_params()
    return DatabaseSettings(
        host=parameters["host"],
        port=int(parameters["port"]),
        name=parameters["dbname"],
        user=parameters["user"],
        password=parameters["password"],
        tls={},
    ).dsn()


class InPostgresql:
    def __init__(self) -> None:
        self.replays: Replays = PostgresReplays(dsn())

    def letter(self, consumer: str, **changes: Any) -> int:
        made = new_letter(DeadLetter.objects.count(), consumer_service=consumer, **changes)
        made.save()
        return int(made.pk)

    def job(self, action: str = "replay", per_second: int = 10, **filters: str) -> int:
        newest = DeadLetter.objects.order_by("-id").values_list("id", flat=True).first()
        made = DeadLetterJob.objects.create(
            action=action,
            filter=filters,
            per_second=per_second,
            total=0,
            max_id=newest or 0,
            paced_at=NOW,
            created_by="bo",
        )
        return int(made.pk)

    def set_job(self, job: int, state: str) -> None:
        DeadLetterJob.objects.filter(pk=job).update(state=state)

    def states(self) -> list[str]:
        return list(DeadLetter.objects.order_by("id").values_list("state", flat=True))

    def job_of(self, job: int) -> tuple[str, int]:
        found = DeadLetterJob.objects.get(pk=job)
        return found.state, found.released


@pytest.fixture(params=[InMemory, InPostgresql], ids=["memory", "postgresql"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    made: Subject = request.param()
    yield made
    made.replays.close()


def replaying(at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    return {"state": "replaying", "next_send_at": at, **changes}


def sent(subject: Subject, now: datetime, most: int = 100) -> list[int]:
    return [item.letter for item in subject.replays.to_send(now, most)]


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


def test_two_dispatchers_never_get_the_same_letter() -> None:
    made = InPostgresql()
    letters = [made.letter("stats", **replaying()) for _ in range(6)]
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "SELECT FROM dlq_events WHERE id = ANY(%s) FOR UPDATE", [letters[:2]]
        )  # what another dispatcher holds until its commit
        assert sent(made, NOW) == letters[2:]
        cursor.execute("COMMIT")
    made.replays.close()


def test_two_dispatchers_never_move_the_same_job() -> None:
    made = InPostgresql()
    made.letter("stats")
    job = made.job()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM dead_letter_jobs WHERE id = %s FOR UPDATE", [job])
        assert made.replays.advance(job, NOW + SECOND) == 0
        cursor.execute("COMMIT")
    assert made.states() == ["open"]
    made.replays.close()


@pytest.mark.parametrize("action", ["replay", "discard"])
@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), 12),
        (Selection(consumer_service="stats"), 6),
        (Selection(cause="22003"), 4),
        (Selection(game_id="go"), 3),
        (Selection(player_id="ada"), 4),
        (Selection(event_type="login"), 2),
        (Selection(created_from=NOW + 3 * SECOND), 9),
        (Selection(created_until=NOW + 3 * SECOND), 3),
        (Selection(consumer_service="stats", player_id="ada", game_id="go"), 1),
        (Selection(created_from=NOW + 3 * SECOND, created_until=NOW + 5 * SECOND), 2),
    ],
    ids=str,
)
def test_a_job_does_what_its_dry_run_counted(
    selection: Selection, expected: int, action: str
) -> None:
    DeadLetter.objects.bulk_create(
        new_letter(
            n,
            consumer_service="stats" if n % 2 else "logging",
            cause="22003" if n % 3 == 1 else "22P02",
            game_id="go" if n % 4 == 3 else "chess",
            event_type="login" if n % 6 == 5 else "player_score",
            created_at=NOW + n * SECOND,
        )
        for n in range(12)
    )
    assert selection.count(action) == expected
    job = jobs.start(action, selection, by="bo", now=NOW, reason="old")
    replays = PostgresReplays(dsn())
    assert replays.advance(job.pk, NOW + SECOND) == expected
    state = "replaying" if action == "replay" else "discarded"
    assert DeadLetter.objects.filter(state=state).count() == expected
    assert jobs.progress(job).state == "done"
    replays.close()


def test_every_letter_that_is_released_leaves_its_word_in_the_audit() -> None:
    made = InPostgresql()
    letters = [made.letter("stats"), made.letter("stats", next_retry_at=NOW)]
    made.replays.retry(NOW, 1)
    job = made.job()
    made.replays.advance(job, NOW + SECOND)
    found = DeadLetterAction.objects.order_by("id").values_list("letter", "job", "action", "by")
    assert list(found) == [
        (letters[1], None, "replay", "auto-retry"),
        (letters[0], job, "replay", "bo"),
    ]
    made.replays.close()


def test_an_unreachable_postgresql_is_an_outage() -> None:
    replays = PostgresReplays("host=127.0.0.1 port=1 dbname=none")
    with pytest.raises(ReplaysUnavailable):
        replays.work(NOW)
