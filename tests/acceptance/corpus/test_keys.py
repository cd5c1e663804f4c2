"""Rows 1 to 7: keys and rates, at a web process in production settings."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from gamemetrics.stack.layout import PROJECT_ROOT
from gamemetrics.stack.ports import HOST
from gamemetrics.stack.programs import Launch
from tests.acceptance.corpus.case import event
from tests.acceptance.corpus.effects import answered as answered_http
from tests.acceptance.corpus.effects import applied, in_game
from tests.acceptance.corpus.table import Table
from tests.acceptance.corpus.wire import answered, conversation, head
from tests.acceptance.games import Game
from tests.acceptance.waiting import until
from tests.services import Stack
from tests.stack_homes import reserve_ports

GAME = "k-000"
EVENT = in_game(event(), GAME)
PER_SECOND = 5
KEYS = {"INGEST_KEY": "ingest-key", "READ_KEY": "read-key", "MANAGEMENT_KEY": "management-key"}
# As the ingress says it, which ends TLS.
OVER_TLS = {"X-Forwarded-Proto": "https", "Content-Type": "application/json"}
REFUSED = "401 auth_required"


@pytest.fixture(scope="module")
def production(watcher: Game) -> Iterator[httpx.Client]:
    """A second web process of the stack, in production settings."""
    stack: Stack = watcher.stack
    (port,) = reserve_ports(1)
    launch = Launch.load(stack.layout.launch_file("web"))
    own = str(urlsplit(stack.url).port)
    environ = {
        **launch.environ,
        **KEYS,
        "GAMEMETRICS_ENV": "production",
        "ALLOWED_HOSTS": f"{HOST},localhost",
        "RATE_LIMIT_RPS": str(PER_SECOND),
    }
    environ.pop("FAILPOINTS", None)
    log = stack.layout.logs / "production-web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(port) if word == own else word for word in launch.argv],
            env=environ,
            cwd=PROJECT_ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        address = f"http://{HOST}:{port}"
        with httpx.Client(base_url=address, trust_env=False, headers=OVER_TLS) as client:
            until(lambda: _answers(client), f"it answers; else see {log}", seconds=60)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("row", "what", "expect", "path", "headers"),
    [
        (1, "no Authorization", REFUSED, "", {}),
        (2, "an unknown key", REFUSED, "", bearer("unknown")),
        (2, "an empty key", REFUSED, "", {"Authorization": "Bearer"}),
        (2, "a key by Basic", REFUSED, "", {"Authorization": "Basic ingest-key"}),
        (3, "a key that is no longer set", REFUSED, "", bearer("ingest-key-of-last-year")),
        (4, "the key of the readers", "403 forbidden", "", bearer("read-key")),
        (5, "the key in the query", REFUSED, "?key=ingest-key&Authorization=Bearer+ingest-key", {}),
    ],
)  # fmt: skip
def test_without_its_key_nothing_is_taken(
    row: int, what: str, expect: str, path: str, headers: dict[str, str],
    production: httpx.Client, table: Table,
) -> None:  # fmt: skip
    answer = production.post(f"/api/v1/events{path}", content=EVENT, headers=headers)
    table.add(row, what, expect, answered_http(answer))
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
    stranger = production.post("/api/v1/events", content=EVENT)
    assert answer.status_code != 401 or answer.content == stranger.content


@pytest.mark.parametrize("order", [("ingest-key", "unknown"), ("unknown", "ingest-key")])
def test_of_two_keys_none_is_chosen(
    order: tuple[str, str], production: httpx.Client, table: Table
) -> None:
    lines = [f"Authorization: Bearer {key}" for key in order]
    request = head(*lines, "X-Forwarded-Proto: https", f"Content-Length: {len(EVENT)}") + EVENT
    answer = conversation(str(production.base_url), request)
    what = "two Authorizations, the right one " + ("first" if order[0] in KEYS.values() else "last")
    table.add(6, what, REFUSED, answered(answer))


def test_with_its_key_it_is_taken_until_the_bucket_is_empty(
    production: httpx.Client, watcher: Game, table: Table
) -> None:
    answers: list[httpx.Response] = []
    while not answers or answers[-1].status_code == 202:
        assert len(answers) < 1_000, "nothing was refused"
        answers.append(
            production.post("/api/v1/events", content=EVENT, headers=bearer("ingest-key"))
        )
    refused = answers.pop()
    assert len(answers) >= PER_SECOND
    table.add(7, "the bucket is empty", "429 rate_limited", answered_http(refused))
    assert int(refused.headers["retry-after"]) >= 1
    until(
        lambda: (
            production.post(
                "/api/v1/events", content=EVENT, headers=bearer("ingest-key")
            ).status_code
            == 202
        ),
        "requests are taken again",
        seconds=30,
    )
    watcher.applied()
    # Of this whole module: what was refused is not in the log.
    assert applied(watcher, GAME) == f"{len(answers) + 1} applied"
