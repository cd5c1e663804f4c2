"""The admin finds by what an index answers, and says why where none does."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.deadletters.models import DeadLetter
from apps.events.models import Event
from apps.operations.search import query
from apps.stats.models import PlayerStatistics
from tests.admin_site import (
    ENTRIES,
    EVENTS,
    LETTERS,
    REVERSED,
    STATISTICS,
    new_event,
    new_letter,
    new_statistics,
    said,
    show,
    shown,
)
from tests.builders import event_id

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (event_id(4), [4]),
        (f"event:{event_id(4).upper()}", [4]),
        ("bo", [7, 4, 1]),
        ("  bo ", [7, 4, 1]),
        ("player:bo", [7, 4, 1]),
        ("player:bo type:boss_defeated", [7]),
        ("game:chess type:boss_defeated", [8, 7]),
        ("game:checkers", []),
        (event_id(99), []),
        ("' OR 1=1 --", []),
        ("100%", []),
    ],
)
def test_events_are_found_by_id_player_and_game(
    operator: Client, search: str, expected: list[int]
) -> None:
    Event.objects.bulk_create(
        new_event(number, event_type="boss_defeated" if number > 6 else "player_score")
        for number in range(9)
    )
    rows = shown(show(operator, EVENTS, q=search))
    assert [str(row.pk) for row in rows] == [event_id(number) for number in expected]


@pytest.mark.parametrize(
    ("name", "search", "reason"),
    [
        (EVENTS, "type:player_score", "No index answers"),
        (EVENTS, "event:not-a-uuid", "not a valid UUID"),
        (EVENTS, "player:ada the great", "Cannot read"),
        (EVENTS, "player:ada player:bo", "Words, each once"),
        (EVENTS, f"event:{event_id(1)} player:ada", "No index answers"),
        (ENTRIES, "board:points", "No index answers"),
        (ENTRIES, "game:chess period:daily", "No index answers"),
        (LETTERS, "cause:22P02 game:chess", "No index answers"),
    ],
)
def test_a_search_without_an_index_is_refused_with_the_reason(
    operator: Client, one_of_each: dict[str, object], name: str, search: str, reason: str
) -> None:
    response = show(operator, name, q=search)
    assert shown(response) == []
    assert reason in said(response)


@pytest.mark.parametrize(
    "player", ["ada lovelace", 'bo "the great"', "c\\yd", "steam:76561", REVERSED]
)
def test_a_player_of_any_spelling_is_found_by_the_link_in_the_list(
    operator: Client, player: str
) -> None:
    Event.objects.bulk_create([new_event(1, player_id=player), new_event(2, player_id="else")])
    rows = shown(show(operator, EVENTS, q=query(player=player)))
    assert [row.player_id for row in rows] == [player]
    assert [row.player_id for row in shown(show(operator, EVENTS, q=player))] == [player]


def test_a_search_with_a_nul_is_refused(operator: Client) -> None:
    response = show(operator, EVENTS, q="ada\x00")
    assert response.status_code == 200
    assert "Null characters" in said(response)


def test_the_newest_players_of_a_game_come_first(operator: Client) -> None:
    PlayerStatistics.objects.bulk_create(
        new_statistics(player, total) for player, total in (("ada", 2), ("bo", 9), ("cyd", 5))
    )
    rows = shown(show(operator, STATISTICS, q="game:chess"))
    assert [row.player_id for row in rows] == ["cyd", "bo", "ada"]


def test_dead_letters_are_filtered_by_state_and_consumer(operator: Client) -> None:
    DeadLetter.objects.bulk_create(
        [
            new_letter(1),
            new_letter(2, state="applied"),
            new_letter(3, consumer_service="logging"),
        ]
    )
    by_state = shown(show(operator, LETTERS, state="open"))
    assert [row.offset for row in by_state] == [3, 1]
    by_both = shown(show(operator, LETTERS, state="open", consumer_service="stats"))
    assert [row.offset for row in by_both] == [1]


@pytest.mark.parametrize("parameter", ["data__score", "error_message__contains", "player_id"])
def test_a_column_that_is_no_filter_cannot_be_asked_for_by_url(
    operator: Client, parameter: str
) -> None:
    for name in (EVENTS, LETTERS):
        assert show(operator, name, **{parameter: "1"}).status_code == 400


def test_an_unknown_filter_value_leads_to_the_whole_list(operator: Client) -> None:
    assert show(operator, LETTERS, state="lost\x00").status_code == 302
