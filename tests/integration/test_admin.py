"""The operators' admin shows every field of a row and changes none."""

from __future__ import annotations

import re
from contextlib import closing
from decimal import Decimal
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.leaderboards.models import Entry
from tests.admin_site import (
    ENTRIES,
    EVENTS,
    LETTERS,
    LISTS,
    REVERSED,
    SCRIPT,
    new_entry,
    new_event,
    new_letter,
    page,
    show,
    shown,
)
from tests.builders import TOPIC, TOPIC_ID, event_id

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", LISTS)
def test_a_superuser_can_look_at_a_row_but_not_add_change_or_delete_it(
    operator: Client, one_of_each: dict[str, object], name: str
) -> None:
    key = one_of_each[name]
    assert len(shown(show(operator, name))) == 1
    body = page(operator, name, key)
    assert 'name="_save"' not in body
    assert "deletelink" not in body
    assert operator.post(reverse(f"admin:{name}_change", args=(key,)), {}).status_code == 403
    assert operator.post(reverse(f"admin:{name}_delete", args=(key,)), {}).status_code == 403
    assert operator.get(reverse(f"admin:{name}_add")).status_code == 403
    action = {"action": "delete_selected", "_selected_action": str(key), "post": "yes"}
    operator.post(reverse(f"admin:{name}_changelist"), action)
    assert len(shown(show(operator, name))) == 1


@pytest.mark.parametrize("name", LISTS)
def test_nobody_looks_without_signing_in(client: Client, name: str) -> None:
    response = show(client, name)
    assert response.status_code == 302
    assert "/admin/login/" in response["Location"]


def test_an_event_shows_its_payload_escaped_exact_and_with_nothing_invisible(
    operator: Client,
) -> None:
    data = {"note": SCRIPT, "name": REVERSED, "hebrew": "\u05e9\u05dc\u05d5\u05dd"}
    Event.objects.bulk_create([new_event(1, data=data, player_id=REVERSED)])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events SET data = data || "
            """'{"exact": 0.1234567890123456789012, "huge": 1e5000}'"""
        )
    body = page(operator, EVENTS, event_id(1))
    assert SCRIPT not in body
    assert SCRIPT in unescape(body)
    assert "0.1234567890123456789012" in body
    assert "1" + "0" * 5000 in body
    assert "\u202e" not in body
    assert r"\u202eada" in body
    assert data["hebrew"] in body
    assert "\u202e" not in show(operator, EVENTS).content.decode()


def test_an_event_leads_to_its_dead_letters(operator: Client) -> None:
    Event.objects.bulk_create([new_event(1)])
    DeadLetter.objects.bulk_create([new_letter(1), new_letter(2)])
    body = page(operator, EVENTS, event_id(1))
    links = re.findall(r'href="(/admin/deadletters/deadletter/\?[^"]+)"', body)
    assert [[row.offset for row in shown(operator.get(unescape(link)))] for link in links] == [[1]]


def test_an_event_with_the_longest_names_shows_them_whole(operator: Client) -> None:
    Event.objects.bulk_create([new_event(1, player_id="a" * 512)])
    assert f">{'a' * 512}<" in page(operator, EVENTS, event_id(1))


def test_a_dead_letter_shows_its_bytes_cause_coordinates_and_headers(operator: Client) -> None:
    letter = new_letter(
        41,
        event_id=None,
        player_id="",
        consumer_service="bridge",
        cause="invalid_json",
        error_message=f"no JSON: {SCRIPT}",
        original_event=f"\ufffd{SCRIPT}",
        raw=b"\x00\xff<img src=x onerror=alert(1)>\x00",
        key=b"ada",
        headers=[["event_type", "/wA="], ["<b>", "YWRh"], ["absent", None]],
    )
    letter.save()
    body = page(operator, LETTERS, letter.pk)
    assert "<img src=x" not in body
    text = unescape(body)
    assert "00000000  00 ff 3c 69 6d 67 20 73  72 63 3d 78 20 6f 6e 65  ..<img src=x one" in text
    assert "31 bytes" in text
    for piece in ("invalid_json", f"no JSON: {SCRIPT}", TOPIC, str(TOPIC_ID), "41", "0xff00"):
        assert piece in text
    assert "<bdi><b></bdi>: <bdi>ada</bdi>" in text
    assert "(null)" in text


def test_a_message_of_a_megabyte_is_shown_in_part(operator: Client) -> None:
    letter = new_letter(1, raw=b"a" * 1_000_000, original_event="a" * 1_000_000)
    letter.save()
    body = page(operator, LETTERS, letter.pk)
    assert len(body) < 700_000
    assert "934,464 bytes more" in body


@pytest.mark.parametrize("key", ["not-a-uuid", event_id(9), "00000000"])
def test_an_event_that_is_not_there_leads_back(operator: Client, key: str) -> None:
    response = operator.get(reverse(f"admin:{EVENTS}_change", args=(key,)))
    assert response.status_code == 302


@pytest.mark.parametrize("key", ["0", "x", "9" * 30])
def test_a_dead_letter_that_is_not_there_leads_back(operator: Client, key: str) -> None:
    assert operator.get(reverse(f"admin:{LETTERS}_change", args=(key,))).status_code == 302


def test_a_score_is_shown_to_its_last_digit_and_no_further(operator: Client) -> None:
    Entry.objects.bulk_create([new_entry(1, score=Decimal("12345678901234567890.125"))])
    assert ">12345678901234567890.125<" in show(operator, ENTRIES).content.decode()


def test_the_admin_has_its_styles_without_a_collected_directory(client: Client) -> None:
    for path in ("admin/css/base.css", "operations/admin.css"):
        with closing(client.get(f"/static/{path}")) as response:
            assert response.status_code == 200
            assert response["Content-Type"].startswith("text/css")
