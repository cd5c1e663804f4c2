"""The board's page in a real browser: live without a reload, whole without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.games import Game
from tests.browser import PATIENCE, Scheme, browser, page

ROWS = "#rows tr"
WIDTHS = {"desktop": (1280, 800), "phone": (390, 844)}

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


def address(game: Game, board: str = "default", query: str = "") -> str:
    return f"{game.stack.url}/boards/{quote(game.game_id, safe='')}/{board}/{query}"


def score(game: Game, player_id: str, points: float) -> None:
    assert game.post(game.event(player_id, data={"score": points})).status_code == 202


def await_live(shown: Page) -> None:
    expect(shown.locator("#state")).to_have_attribute("data-state", "live")


def expect_players(shown: Page, *player_ids: str) -> None:
    """The board's lines are of these players, in this order."""
    rows = shown.locator(ROWS)
    expect(rows).to_have_count(len(player_ids))
    for row, player_id in enumerate(player_ids):
        expect(rows.nth(row)).to_have_attribute("data-player", player_id)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
def test_the_page_follows_the_board_without_a_reload(
    game: Game, chromium: Browser, device: str, scheme: Scheme
) -> None:
    width, height = WIDTHS[device]
    score(game, "ada", 1234567)
    score(game, "bo", 1234566)
    game.applied()
    with page(chromium, width=width, height=height, scheme=scheme) as shown:
        shown.goto(address(game))
        await_live(shown)
        shown.evaluate("window.loadedOnce = true")
        score(game, "bo", 1)
        expect(shown.locator(".tie:not([hidden])")).to_have_count(2)
        score(game, "bo", 1)
        expect_players(shown, "bo", "ada")
        first = shown.locator(ROWS).first
        expect(first.locator(".score")).to_have_text("1,234,568")
        expect(first.locator(".move")).to_contain_text("▲ 1")
        long_name = "a very long name " * 20
        score(game, long_name, 5)
        expect_players(shown, "bo", "ada", long_name)
        expect(shown.locator(".move .new")).to_have_count(1)
        expect(shown.locator("#total")).to_have_text("3")
        assert shown.evaluate("window.loadedOnce")
        assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_empty_board_says_so_until_somebody_scores(game: Game, chromium: Browser) -> None:
    with page(chromium, width=1280, height=800) as shown:
        shown.goto(address(game))
        expect(shown.locator("#empty")).to_be_visible()
        await_live(shown)
        score(game, "ada", 1)
        expect_players(shown, "ada")
        expect(shown.locator("#empty")).to_be_hidden()


def test_without_javascript_the_board_is_there(game: Game, chromium: Browser) -> None:
    score(game, "ada", 5000)
    score(game, "bo", 3.5)
    game.applied()
    with page(chromium, width=1280, height=800, script=False) as shown:
        shown.goto(address(game))
        expect_players(shown, "ada", "bo")
        expect(shown.locator("#rows .score").first).to_have_text("5,000")
        expect(shown.locator("main noscript")).to_have_count(1)
        expect(shown.locator("#state-text")).to_have_text("As of now")


def test_a_board_that_is_not_there_is_a_page_that_says_so(game: Game, chromium: Browser) -> None:
    answer = game.http.get(address(game, "nothing"))
    assert answer.status_code == 404
    with page(chromium, width=390, height=844) as shown:
        shown.set_content(answer.text)
        expect(shown.locator("h1")).to_have_text("No such board")
        expect(shown.locator("main")).to_contain_text("default")
    assert game.http.get(address(game, query="?period=hourly")).status_code == 404
    assert game.http.get(address(game, query="?at=tomorrow")).status_code == 404


def test_nothing_of_the_page_comes_from_elsewhere_or_is_inline(game: Game) -> None:
    page = game.http.get(address(game))
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "<style" not in page.text and "style=" not in page.text and "onclick" not in page.text
    assert "://" not in page.text.replace("http-equiv", "")


def test_the_page_is_found_without_its_last_slash(game: Game) -> None:
    plain = game.http.get(address(game).rstrip("/"), params={"period": "daily"})
    assert plain.status_code == 302
    assert plain.headers["Location"].endswith("/default/?period=daily")


def test_a_name_is_text_on_the_page(game: Game, chromium: Browser) -> None:
    name = "<img src=x onerror=alert(1)>"
    score(game, name, 1)
    game.applied()
    with page(chromium, width=1280, height=800) as shown:
        shown.goto(address(game))
        expect(shown.locator("#rows bdi")).to_have_text(name)
        await_live(shown)
        expect(shown.locator("#rows bdi")).to_have_text(name)
