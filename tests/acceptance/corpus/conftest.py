"""What the tests of the corpus share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.corpus.table import Table
from tests.acceptance.faults import becomes_ready
from tests.acceptance.games import Game
from tests.services import Stack


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """The cases and what was seen of them; written to the file that CORPUS_TABLE names."""
    table = Table()
    yield table
    path = os.environ.get("CORPUS_TABLE")
    if path:
        table.write(Path(path))


@pytest.fixture(scope="session")
def watcher(stack: Stack) -> Iterator[Game]:
    """Sends the cases and looks after them; each has a game of its own."""
    becomes_ready(stack)
    watcher = Game(stack=stack, game_id="corpus")
    yield watcher
    watcher.http.close()


@pytest.fixture(scope="session")
def operator(stack: Stack) -> Iterator[httpx.Client]:
    """Somebody on call, logged in to the admin."""
    with httpx.Client(base_url=stack.url, trust_env=False, timeout=30) as browser:
        page = browser.get("/admin/login/")
        answer = browser.post(
            "/admin/login/?next=/admin/",
            data={
                "username": stack.env["ADMIN_USER"],
                "password": stack.env["ADMIN_PASSWORD"],
                "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            },
            headers={"Referer": str(page.url)},
        )
        assert answer.status_code == 302, "the admin user cannot log in"
        yield browser
