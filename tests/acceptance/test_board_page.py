"""The board's page in a real browser: live without a reload, whole without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.acceptance.games import Game
from tests.browser import Browser, browser

LIVE = "document.getElementById('state').dataset.state === 'live'"
ROWS = "[...document.querySelectorAll('#rows tr')].map((row) => row.dataset.player).join()"
WIDTHS = {"desktop": (1280, 800), "phone": (390, 844)}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as driven:
        yield driven


def address(game: Game, board: str = "default", query: str = "") -> str:
    return f"{game.stack.url}/boards/{quote(game.game_id, safe='')}/{board}/{query}"


def score(game: Game, player_id: str, points: float) -> None:
    assert game.post(game.event(player_id, data={"score": points})).status_code == 202


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
def test_the_page_follows_the_board_without_a_reload(
    game: Game, chromium: Browser, device: str, scheme: str
) -> None:
    width, height = WIDTHS[device]
    score(game, "ada", 1234567)
    score(game, "bo", 1234566)
    game.applied()
    chromium.open(address(game), width=width, height=height, prefers_color_scheme=scheme)
    chromium.until(LIVE)
    chromium.value("window.loadedOnce = true")
    score(game, "bo", 1)
    chromium.until("document.querySelectorAll('.tie:not([hidden])').length === 2")
    score(game, "bo", 1)
    chromium.until(f"{ROWS} === 'bo,ada'")
    shown = "document.querySelector('#rows tr {}').textContent"
    assert chromium.value(shown.format(".score")) == "1,234,568"
    assert "▲ 1" in chromium.value(shown.format(".move"))
    score(game, "a very long name " * 20, 5)
    chromium.until("document.querySelectorAll('#rows tr').length === 3")
    assert chromium.value("document.querySelector('.move .new') !== null")
    assert chromium.value("document.getElementById('total').textContent") == "3"
    assert chromium.value("window.loadedOnce")
    assert chromium.value("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.complaints() == []


def test_an_empty_board_says_so_until_somebody_scores(game: Game, chromium: Browser) -> None:
    chromium.open(address(game), width=1280, height=800)
    assert chromium.value("!document.getElementById('empty').hidden")
    chromium.until(LIVE)
    score(game, "ada", 1)
    chromium.until(f"{ROWS} === 'ada'")
    assert chromium.value("document.getElementById('empty').hidden")


def test_without_javascript_the_board_is_there(game: Game, chromium: Browser) -> None:
    score(game, "ada", 5000)
    score(game, "bo", 3.5)
    game.applied()
    chromium.open("about:blank#", width=1280, height=800)
    chromium.script(False)
    chromium.call("Page.navigate", url=address(game))
    chromium.until(f"{ROWS} === 'ada,bo'")
    assert chromium.value("document.querySelector('#rows .score').textContent") == "5,000"
    assert chromium.value("document.querySelector('main noscript') !== null")
    assert chromium.value("document.getElementById('state-text').textContent") == "As of now"


def test_a_board_that_is_not_there_is_a_page_that_says_so(game: Game, chromium: Browser) -> None:
    answer = game.http.get(address(game, "nothing"))
    assert answer.status_code == 404
    chromium.open(address(game, "nothing"), width=390, height=844)
    assert chromium.value("document.querySelector('h1').textContent") == "No such board"
    assert "default" in chromium.value("document.querySelector('main').textContent")
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
    chromium.open(address(game), width=1280, height=800)
    assert chromium.value("document.querySelector('#rows bdi').textContent") == name
    chromium.until(LIVE)
    assert chromium.value("document.querySelector('#rows bdi').textContent") == name
