"""An edit of a dead letter: valid, the same event, and beside the original."""

from __future__ import annotations

from decimal import Decimal

import pytest
import redis

from apps.contract.envelope import EventInvalid
from apps.deadletters import actions
from apps.deadletters.models import DeadLetterAction
from apps.ledger.replays import Replayed, replay_letter
from tests.builders import event_id, event_text
from tests.letters import LEADERBOARDS, MENDED, bad_score, now, told
from tests.totals import score_of

pytestmark = pytest.mark.django_db


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
