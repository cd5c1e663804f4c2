"""A game of its own for every test."""

import logging
import re
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest

from tests.acceptance.faults import becomes_ready
from tests.acceptance.games import Game
from tests.deployments import deployment
from tests.secured_kafka import SecuredKafka, run_secured_kafka
from tests.services import Stack

logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request hides what failed


@pytest.fixture(scope="session")
def secured_kafka() -> Iterator[SecuredKafka]:
    """One broker that demands TLS, users and ACLs, for all tests of security."""
    with run_secured_kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def secured_database(postgres: str) -> str:
    """A migrated database for the processes that speak to the secured broker."""
    connection = psycopg2.connect(postgres)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE secured")
    connection.close()
    address = urlsplit(postgres)._replace(path="/secured").geturl()
    with deployment({"DATABASE_URL": address}) as deployed:
        deployed.manage("migrate", "--noinput")
    return address


@pytest.fixture
def game(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Game]:
    """A game of this test alone, on a stack that takes events before and after it."""
    becomes_ready(stack)
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name)[:80]
    game = Game(stack=stack, game_id=f"{name}-{uuid.uuid4().hex[:8]}")
    yield game
    game.http.close()
    becomes_ready(stack)


@pytest.fixture
def operator(stack: Stack) -> Iterator[httpx.Client]:
    """Somebody on call, logged in to the admin."""
    with httpx.Client(base_url=stack.url, trust_env=False, timeout=30) as browser:
        page = browser.get("/admin/login/")
        assert page.status_code == 200
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
