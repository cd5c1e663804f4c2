"""The admin's lists go by key: no count, no OFFSET, no payload."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.leaderboards.models import Entry
from apps.operations import changelist
from tests.admin_site import (
    ENTRIES,
    EVENTS,
    LETTERS,
    LISTS,
    new_entry,
    new_event,
    new_letter,
    said,
    show,
    shown,
    walked,
)
from tests.builders import event_id, minutes

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", LISTS)
def test_a_list_neither_counts_nor_skips_rows_nor_reads_payloads(
    operator: Client, one_of_each: dict[str, object], name: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        show(operator, name)
        show(operator, name, q="game:chess")
        show(operator, name, q="ada")
    sql = " ".join(query["sql"] for query in queries.captured_queries)
    assert "COUNT(" not in sql.upper()
    assert "OFFSET " not in sql.upper()
    assert "DISTINCT" not in sql.upper()
    for payload in ("data", "raw", "original_event", "event_breakdown", "error_message"):
        assert f'"{payload}"' not in sql


def test_a_page_of_events_costs_one_query_beside_the_session_and_the_estimate(
    operator: Client,
) -> None:
    Event.objects.bulk_create(new_event(number) for number in range(101))
    with CaptureQueriesContext(connection) as queries:
        show(operator, EVENTS)
    read = [query["sql"] for query in queries.captured_queries if 'FROM "events"' in query["sql"]]
    assert len(read) == 1
    assert read[0].endswith("LIMIT 101")


def test_the_pages_show_every_event_once_in_both_directions(operator: Client) -> None:
    Event.objects.bulk_create(new_event(number) for number in range(250))
    newest_first = [event_id(number) for number in reversed(range(250))]
    forward = [[str(row.pk) for row in rows] for rows in walked(operator, EVENTS, "next")]
    assert [len(rows) for rows in forward] == [100, 100, 50]
    assert [key for rows in forward for key in rows] == newest_first
    last = show(operator, EVENTS).context["cl"].last_url
    cursor = parse_qs(last.removeprefix("?"))["p"][0]
    backward = [
        [str(row.pk) for row in rows] for rows in walked(operator, EVENTS, "previous", p=cursor)
    ]
    assert [key for rows in reversed(backward) for key in rows] == newest_first


def test_pages_of_a_game_follow_the_periods_through_ties(operator: Client) -> None:
    Entry.objects.bulk_create(
        new_entry(1, player_id=f"player-{number:03}", period_start=minutes(number % 3))
        for number in range(230)
    )
    expected = Entry.objects.order_by("period_start", "pk").values_list("pk", flat=True)
    pages = walked(operator, ENTRIES, "next", q="game:chess board:points period:daily")
    assert [row.pk for rows in pages for row in rows] == list(expected)


def test_a_page_link_keeps_the_search_and_the_filters(operator: Client) -> None:
    DeadLetter.objects.bulk_create(
        new_letter(offset, player_id="ada", consumer_service="stats" if offset % 2 else "logging")
        for offset in range(300)
    )
    pages = list(walked(operator, LETTERS, "next", q="player:ada", consumer_service="stats"))
    assert [len(rows) for rows in pages] == [100, 50]
    assert {row.consumer_service for rows in pages for row in rows} == {"stats"}


@pytest.mark.parametrize("cursor", ["2", "garbage", "WzEsMl0:1:x", "\x00"])
def test_a_forged_page_leads_to_the_first_one(operator: Client, cursor: str) -> None:
    response = show(operator, EVENTS, p=cursor)
    assert response.status_code == 302
    assert response["Location"].endswith("?e=1")


def test_a_page_of_one_order_is_refused_in_another(operator: Client) -> None:
    Event.objects.bulk_create(new_event(number, player_id="ada") for number in range(101))
    link = show(operator, EVENTS).context["cl"].next_url
    address = reverse(f"admin:{EVENTS}_changelist") + link
    assert operator.get(address).status_code == 200
    assert operator.get(f"{address}&q=player:ada").status_code == 302


def test_the_total_is_exact_on_one_page_estimated_on_many_and_open_when_searched(
    operator: Client,
) -> None:
    Event.objects.bulk_create(new_event(number, player_id="ada") for number in range(3))
    assert show(operator, EVENTS).context["cl"].total == "3"
    Event.objects.bulk_create(new_event(number, player_id="ada") for number in range(3, 150))
    assert show(operator, EVENTS, q="player:ada").context["cl"].total == "more than 100"
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events")
    assert show(operator, EVENTS).context["cl"].total == "about 150"


def test_an_order_from_the_url_is_ignored(operator: Client) -> None:
    Event.objects.bulk_create(new_event(number) for number in range(3))
    rows = shown(show(operator, EVENTS, o="5.-2"))
    assert [str(row.pk) for row in rows] == [event_id(number) for number in (2, 1, 0)]


def test_a_list_that_takes_too_long_is_given_up_with_a_message(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changelist, "LIST_TIMEOUT_SECONDS", 0.1)
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE events")
        response = show(operator, EVENTS)
    finally:
        other.close()
    assert shown(response) == []
    assert "Given up after" in said(response)
    assert "0 events" not in response.content.decode()
    assert shown(show(operator, EVENTS)) == []
