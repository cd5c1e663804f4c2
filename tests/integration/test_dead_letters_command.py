"""`manage.py dead_letters`: what somebody on call can do from a shell."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from apps.contract.queues import Consumer
from apps.deadletters.jobs import Progress
from apps.deadletters.models import DeadLetter, DeadLetterAction, DeadLetterJob
from apps.deadletters.waiting import wait
from apps.ledger.replays import replay_letter
from apps.ledger.services import apply_chunk
from tests.admin_site import REVERSED, new_letter
from tests.builders import chunk, event_id, event_text, record
from tests.totals import CONSUMERS, score_of

pytestmark = pytest.mark.django_db


def run(*arguments: Any) -> str:
    out = io.StringIO()
    call_command("dead_letters", *map(str, arguments), stdout=out)
    return out.getvalue()


def bad_score() -> int:
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([record(7, data='{"score": "many"}')]))
    return DeadLetter.objects.get().pk


def state(letter: int) -> str:
    return str(DeadLetter.objects.values_list("state", flat=True).get(pk=letter))


def test_a_bad_score_is_found_mended_and_replayed(cache: redis.Redis, tmp_path: Path) -> None:
    letter = bad_score()
    assert "score_invalid" in run("list", "--consumer", "leaderboards", "--player", "ada")
    assert '"score": "many"' in run("show", letter)
    mended = tmp_path / "mended.json"
    mended.write_bytes(event_text(event_id=event_id(7), data={"score": 25}))
    assert "is replaying" in run("edit", letter, "--file", mended, "--replay", "--by", "bo")
    replay_letter(CONSUMERS[Consumer.LEADERBOARDS], letter)
    assert score_of("ada") is not None
    shown = run("show", letter)
    assert '-    "score": "many"' in shown
    assert '+    "score": 25' in shown
    assert "applied by bo" in shown


def test_an_edit_can_come_from_standard_input(
    cache: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = bad_score()
    text = event_text(data={"score": 1})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    run("edit", letter, "--file", "-")
    assert bytes(DeadLetter.objects.get().edited or b"") == text


def test_an_edit_that_is_no_event_names_field_and_rule(cache: redis.Redis, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(event_text(player_id=None))
    with pytest.raises(CommandError, match=r"player_id is required \(required at /player_id\)"):
        run("edit", bad_score(), "--file", bad)
    with pytest.raises(CommandError, match="cannot read"):
        run("edit", 1, "--file", tmp_path / "absent.json")


def test_letters_are_replayed_by_number_once() -> None:
    DeadLetter.objects.bulk_create([new_letter(1), new_letter(2, state="applied")])
    open_one, done = DeadLetter.objects.order_by("id").values_list("id", flat=True)
    with pytest.raises(CommandError, match="the others are not open"):
        run("replay", "--id", open_one, done, "--by", "cyd")
    assert (state(open_one), state(done)) == ("replaying", "applied")
    assert DeadLetterAction.objects.get().by == "cyd"


def test_counting_is_a_dry_run() -> None:
    DeadLetter.objects.bulk_create(
        [new_letter(n, cause="22003" if n % 2 else "crash") for n in range(5)]
    )
    assert run("count", "--cause", "22003").strip() == "2"
    assert run("count", "--from", "2000-01-01T00:00:00Z").strip() == "5"
    assert run("count", "--until", "2000-01-01T00:00:00Z").strip() == "0"
    assert set(DeadLetter.objects.values_list("state", flat=True)) == {"open"}


def test_a_filter_makes_a_job() -> None:
    DeadLetter.objects.bulk_create([new_letter(n, player_id="bo") for n in range(3)])
    assert "replay of 3 dead letters" in run("replay", "--player", "bo", "--per-second", 7)
    job = DeadLetterJob.objects.get()
    assert (job.action, job.filter, job.per_second) == ("replay", {"player_id": "bo"}, 7)
    assert f"job {job.pk} is paused" in run("pause", job.pk)
    assert "player_id=bo" in run("jobs")
    with pytest.raises(CommandError, match="is paused"):
        run("pause", job.pk)
    run("resume", job.pk)
    run("cancel", job.pk)
    with pytest.raises(CommandError, match="is cancelled"):
        run("resume", job.pk)
    assert list(DeadLetterAction.objects.order_by("id").values_list("action", flat=True)) == [
        *("start replay", "pause", "resume", "cancel")
    ]


def test_everything_must_be_said() -> None:
    DeadLetter.objects.bulk_create([new_letter(1)])
    with pytest.raises(CommandError, match="or say --all"):
        run("replay")
    with pytest.raises(CommandError, match="or say --all"):
        run("discard", "--reason", "old")
    run("discard", "--reason", "old", "--all")
    assert DeadLetterJob.objects.get().reason == "old"


def test_nothing_that_matches_is_said() -> None:
    with pytest.raises(CommandError, match="No open dead letter matches"):
        run("replay", "--cause", "absent")


def test_a_discard_has_a_reason_and_can_be_undone() -> None:
    DeadLetter.objects.bulk_create([new_letter(1)])
    letter = DeadLetter.objects.get().pk
    run("discard", "--id", letter, "--reason", "a cheater")
    assert state(letter) == "discarded"
    with pytest.raises(CommandError, match="it is discarded"):
        run("edit", letter, "--file", __file__)
    run("reopen", letter)
    assert state(letter) == "open"


def under_way(replaying: int, failed: int) -> Progress:
    return Progress(
        state="done", total=3, released=3, replaying=replaying, applied=1, failed=failed
    )


def test_waiting_ends_with_the_last_letter_and_tells_how_they_ended() -> None:
    out = io.StringIO()
    looks = iter([under_way(2, 0), under_way(1, 0), under_way(0, 0)])
    wait(OutputWrapper(out), lambda: next(looks))
    assert out.getvalue().splitlines()[-1].endswith("0 failed again, 0 under way")
    with pytest.raises(CommandError, match="2 dead letters failed again"):
        wait(OutputWrapper(out), lambda: under_way(0, 2))


def test_a_terminal_sees_no_hidden_character() -> None:
    DeadLetter.objects.bulk_create([new_letter(1, player_id=REVERSED, error_message="\x1b[2J")])
    letter = DeadLetter.objects.get().pk
    for text in (run("list"), run("show", letter)):
        assert "\u202e" not in text
        assert "\x1b" not in text
