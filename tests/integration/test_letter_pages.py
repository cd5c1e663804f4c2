"""What an operator does with dead letters in the admin: by POST, by permission, and noted."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter, DeadLetterAction
from apps.ledger.replays import replay_letter
from apps.ledger.services import apply_chunk
from tests.admin_site import (
    LETTERS,
    REVERSED,
    SCRIPT,
    Response,
    new_letter,
    page,
    said,
)
from tests.builders import chunk, event_id, event_text, record
from tests.letter_pages import state, url, with_permission
from tests.totals import CONSUMERS, score_of

pytestmark = pytest.mark.django_db
LIST = f"admin:{LETTERS}_changelist"


def bad_score() -> int:
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([record(7, data='{"score": "many"}')]))
    return DeadLetter.objects.get().pk


def test_a_bad_score_is_edited_replayed_and_shown_beside_its_original(
    operator: Client, cache: redis.Redis
) -> None:
    letter = bad_score()
    form = unescape(operator.get(url("edit", letter)).content.decode())
    assert '"score": "many"' in form
    mended = event_text(event_id=event_id(7), data={"score": 25}).decode()
    operator.post(url("edit", letter), {"event": mended, "replay": "1"})
    assert state(letter) == "replaying"
    replay_letter(CONSUMERS[Consumer.LEADERBOARDS], letter)
    assert score_of("ada") is not None
    body = unescape(page(operator, LETTERS, letter))
    assert '<td><pre>    "score": "many"</pre></td><td><pre>    "score": 25</pre></td>' in body
    for word in ("<strong>edit</strong> by operator", "<strong>applied</strong> by operator"):
        assert word in body


def test_an_edit_that_is_no_event_is_shown_again_with_field_and_rule(
    operator: Client, cache: redis.Redis
) -> None:
    letter = bad_score()
    response = operator.post(
        url("edit", letter), {"event": f'{{"player_id": "{SCRIPT}"}}', "replay": "1"}
    )
    body = response.content.decode()
    assert SCRIPT not in body
    assert SCRIPT in unescape(body)
    assert "<code>/event_type</code>: event_type is required <code>required</code>" in body
    assert state(letter) == "open"


def test_a_replay_is_a_post_and_twice_clicked_is_once_done(operator: Client) -> None:
    letter = new_letter(1)
    letter.save()
    assert operator.get(url("replay", letter.pk)).status_code == 405
    assert state(letter.pk) == "open"
    operator.post(url("replay", letter.pk))
    response = operator.post(url("replay", letter.pk))
    assert "it is replaying" in said(response)
    assert DeadLetterAction.objects.filter(action="replay").count() == 1


def test_a_post_from_another_site_is_refused() -> None:
    letter = new_letter(1)
    letter.save()
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("operator"))
    for deed in ("replay", "discard", "reopen", "edit"):
        assert client.post(url(deed, letter.pk), {"reason": "x"}).status_code == 403
    assert client.post(url("bulk"), {}).status_code == 403
    assert state(letter.pk) == "open"


def test_a_discard_asks_for_its_reason_and_can_be_undone(operator: Client) -> None:
    letter = new_letter(1)
    letter.save()
    assert b"Discard 1" in operator.post(url("discard", letter.pk), {"reason": " "}).content
    assert state(letter.pk) == "open"
    operator.post(url("discard", letter.pk), {"reason": "a cheater"})
    assert state(letter.pk) == "discarded"
    assert DeadLetterAction.objects.get().detail == {"reason": "a cheater"}
    body = page(operator, LETTERS, letter.pk)
    assert url("reopen", letter.pk) in body
    assert url("replay", letter.pk) not in body
    operator.post(url("reopen", letter.pk))
    assert state(letter.pk) == "open"


def test_a_page_offers_what_the_state_and_the_cause_allow(operator: Client) -> None:
    DeadLetter.objects.bulk_create(
        [new_letter(1), new_letter(2, state="applied"), new_letter(3, cause="retention_gap")]
    )
    offers = {
        letter.offset: {
            deed
            for deed in ("replay", "edit", "discard", "reopen")
            if f'"{url(deed, letter.pk)}"' in page(operator, LETTERS, letter.pk)
        }
        for letter in DeadLetter.objects.all()
    }
    assert offers == {1: {"replay", "edit", "discard"}, 2: set(), 3: {"discard"}}


def deed_replay(client: Client, letter: int) -> Response:
    return client.post(url("replay", letter))


def deed_edit(client: Client, letter: int) -> Response:
    return client.post(url("edit", letter), {"event": "{}", "save": "1"})


def deed_discard(client: Client, letter: int) -> Response:
    return client.post(url("discard", letter), {"reason": "x"})


def deed_bulk(client: Client, letter: int) -> Response:
    return client.post(url("bulk"), {"action": "replay", "per_second": 1, "count": "1"})


@pytest.mark.parametrize("deed", [deed_replay, deed_edit, deed_discard, deed_bulk])
def test_who_may_only_look_does_nothing(
    client: Client, deed: Callable[[Client, int], Response]
) -> None:
    letter = new_letter(1)
    letter.save()
    viewer = with_permission(client, "view_deadletter")
    assert deed(viewer, letter.pk).status_code == 403
    body = page(viewer, LETTERS, letter.pk)
    assert all(url(name, letter.pk) not in body for name in ("replay", "edit", "discard"))
    assert not DeadLetterAction.objects.exists()


def test_who_may_edit_alone_does_not_replay(client: Client, cache: redis.Redis) -> None:
    letter = bad_score()
    editor = with_permission(client, "view_deadletter", "edit_deadletter")
    mended = {"event": event_text(data={"score": 1}).decode()}
    assert editor.post(url("edit", letter), {**mended, "replay": "1"}).status_code == 403
    assert editor.post(url("edit", letter), {**mended, "save": "1"}).status_code == 302
    assert state(letter) == "open"
    assert DeadLetter.objects.get().edited is not None


def selected(client: Client, action: str, *letters: int) -> Response:
    return client.post(reverse(LIST), {"action": action, "_selected_action": list(letters)})


def test_selected_letters_are_replayed(operator: Client) -> None:
    DeadLetter.objects.bulk_create([new_letter(n) for n in range(3)])
    ids = list(DeadLetter.objects.order_by("id").values_list("id", flat=True))
    response = selected(operator, "replay_selected", *ids[:2])
    assert "2 of 2 dead letters are replaying" in said(response)
    assert [state(letter) for letter in ids] == ["replaying", "replaying", "open"]


def test_selected_letters_are_discarded_after_a_question(operator: Client) -> None:
    DeadLetter.objects.bulk_create([new_letter(n) for n in range(3)])
    ids = list(DeadLetter.objects.order_by("id").values_list("id", flat=True))
    question = selected(operator, "discard_selected", *ids[:2])
    assert b"Discard 2" in question.content
    operator.post(url("discard_all"), {"_selected_action": ids[:2], "reason": "old"})
    assert [state(letter) for letter in ids] == ["discarded", "discarded", "open"]


def test_nothing_hidden_or_active_gets_through_the_edit(
    operator: Client, cache: redis.Redis
) -> None:
    letter = bad_score()
    edited = event_text(event_id=event_id(7), data={"score": 1, "note": SCRIPT})
    operator.post(url("edit", letter), {"event": edited.decode(), "save": "1"})
    DeadLetter.objects.update(edited_by=REVERSED)
    body = page(operator, LETTERS, letter)
    assert SCRIPT not in body
    assert "\u202e" not in body
