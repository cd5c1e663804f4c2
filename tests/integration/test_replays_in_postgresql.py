"""What only a database can show of waiting dead letters: locks, filters, the audit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from apps.deadletters import jobs
from apps.deadletters.models import DeadLetter, DeadLetterAction
from apps.deadletters.selection import Selection
from bridge.replays import (
    PostgresReplays,
    ReplaysUnavailable,
)
from tests.admin_site import new_letter
from tests.builders import NOW
from tests.database import dsn
from tests.waiting_letters import InPostgresql, replaying, sent

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


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
