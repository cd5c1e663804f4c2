"""Rows 8 to 74 over HTTP: each is answered by its code, and takes effect as it says or not."""

from __future__ import annotations

import httpx
import pytest

from tests.acceptance.corpus.case import Posted
from tests.acceptance.corpus.effects import (
    accepted_events,
    answered,
    applied,
    in_game,
    took_effect,
)
from tests.acceptance.corpus.events import EVENTS
from tests.acceptance.corpus.requests import REQUESTS
from tests.acceptance.corpus.table import Table
from tests.acceptance.games import Game

CASES = (*REQUESTS, *EVENTS)


def game_of(case: Posted) -> str:
    return f"h-{CASES.index(case):03d}"


@pytest.fixture(scope="module")
def answers(watcher: Game) -> dict[Posted, httpx.Response]:
    """The answer to each case; all of them have been applied."""
    found = {}
    for case in CASES:
        body = case.pack(in_game(case.body, game_of(case)))
        # A connection each: after some of the refusals the server closes it.
        found[case] = httpx.request(
            case.method,
            f"{watcher.stack.url}/api/v1/events",
            content=body,
            headers=dict(case.headers),
            timeout=30,
            trust_env=False,
        )
    watcher.applied()
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_of_the_corpus(
    case: Posted, answers: dict[Posted, httpx.Response], watcher: Game, table: Table
) -> None:
    response = answers[case]
    assert response.status_code < 500
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "Traceback" not in response.text
    effects = applied(watcher, game_of(case))
    seen = ", ".join(part for part in (answered(response), effects) if part)
    table.add(case.row, case.what, case.expect, seen)
    if response.status_code < 300:
        events = accepted_events(case, response, game_of(case))
        took_effect(watcher, events, case.expect.count("dead at leaderboards"))
    else:
        assert response.json()["status"] in {"error", "partial"}


def test_a_method_that_is_not_post_is_told_the_one_that_is(
    answers: dict[Posted, httpx.Response],
) -> None:
    told = {answer.headers["allow"] for case, answer in answers.items() if case.row == 8}
    assert told == {"POST"}


def test_the_admin_shows_markup_as_text(
    answers: dict[Posted, httpx.Response], operator: httpx.Client
) -> None:
    (answer,) = [answer for case, answer in answers.items() if case.row == 72]
    page = operator.get(f"/admin/events/event/{answer.json()['event_id']}/change/")
    assert page.status_code == 200
    assert "onerror" in page.text
    assert "<img src=x" not in page.text
