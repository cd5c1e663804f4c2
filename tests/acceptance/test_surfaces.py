"""What people and tools look at: Flower, the API's page, metrics, runserver, status."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from gamemetrics.stack.layout import PROJECT_ROOT
from gamemetrics.stack.ports import HOST, Ports
from tests.acceptance.games import Game
from tests.acceptance.streams import expected
from tests.acceptance.test_first_event import run_curl
from tests.acceptance.waiting import until
from tests.services import Stack
from tests.stack_homes import plain_environ, reserve_ports

WEB_METRICS = {
    *("events_received_total", "events_published_total", "events_failed_total"),
    "http_request_duration_seconds",
}
WORKER_METRICS = {
    *("events_processed_total", "processing_latency_seconds", "database_write_seconds"),
    "errors_total",
}


def test_flower_asks_for_a_password(stack: Stack) -> None:
    address = urlsplit(stack.env["FLOWER_URL"])
    page = f"http://{address.hostname}:{address.port}/"
    assert httpx.get(page, trust_env=False).status_code == 401
    wrong = httpx.get(page, auth=("operator", "wrong"), trust_env=False)
    assert wrong.status_code == 401
    assert address.username is not None
    assert address.password is not None
    right = httpx.get(
        page, auth=(address.username, address.password), follow_redirects=True, trust_env=False
    )
    assert right.status_code == 200
    assert "Flower" in right.text


def test_the_api_describes_itself_and_its_page_loads(game: Game) -> None:
    described = game.http.get("/api/openapi.json")
    assert described.status_code == 200
    assert {
        "/api/v1/events",
        "/api/v1/players/{player_id}/stats",
        "/api/v1/leaderboards/{game_id}/{board}",
        "/api/v1/games/{game_id}/leaderboards",
    } <= set(described.json()["paths"])
    page = game.http.get("/api/docs")
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', page.text)
    assert {asset.rpartition(".")[2] for asset in assets} == {"js", "css"}
    for asset in assets:
        loaded = game.http.get(asset)
        assert loaded.status_code == 200, asset
        assert len(loaded.content) > 100
    # It works without the internet: nothing comes from another host.
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)


def test_the_admin_loads_its_own_style(game: Game) -> None:
    page = game.http.get("/admin/login/")
    assets = re.findall(r'href="(/static/[^"]+\.css)"', page.text)
    assert assets
    assert all(game.http.get(asset).status_code == 200 for asset in assets)


def metrics(port: int) -> dict[str, list[str]]:
    """Samples by the name of their metric, as a Prometheus server reads them."""
    answer = httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False)
    assert answer.status_code == 200
    found: dict[str, list[str]] = {}
    name = ""
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            name = line.split()[2]
        elif not line.startswith("#"):
            found.setdefault(name, []).append(line)
    return found


def test_every_process_exports_the_metrics_of_the_contract(game: Game) -> None:
    events = [game.event(), {**game.event(), "timestamp": "yesterday"}]
    assert game.post(events).status_code == 207
    game.applied()
    web = metrics(urlsplit(game.stack.url).port or 0)
    assert set(web) >= WEB_METRICS
    assert any(line.startswith('events_failed_total{code="rfc3339"}')
               for line in web["events_failed_total"])  # fmt: skip
    ports = Ports.from_environ(game.stack.environ)
    bridge = metrics(ports.bridge_metrics_port)
    assert {re.findall(r'partition="(\d)"', line)[0] for line in bridge["consumer_lag"]} == {
        "0", "1", "2",
    }  # fmt: skip
    for consumer in ("logging", "stats", "leaderboards"):
        worker = metrics(getattr(ports, f"{consumer}_metrics_port"))
        for name in WORKER_METRICS - {"errors_total"}:
            assert any(f'consumer="{consumer}"' in line for line in worker[name]), name


@contextmanager
def runserver(stack: Stack) -> Iterator[str]:
    """`manage.py runserver` with the lines of the stack's env file, as a developer starts it."""
    (port,) = reserve_ports(1)
    command = [sys.executable, "manage.py", "runserver", f"{HOST}:{port}"]
    with (stack.dir / "log" / "runserver.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**plain_environ(), **stack.env},
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # The autoreloader's child goes with it.
            start_new_session=True,
        )
        try:
            yield f"http://{HOST}:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def test_runserver_works_against_the_stack(game: Game) -> None:
    with runserver(game.stack) as url:
        until(lambda: is_live(url), "runserver answers", seconds=60)
        body, status = run_curl(url).rsplit("\n", 1)
        assert status == "202"
        assert '"status":"success"' in body
        event = game.event(event_id=str(uuid.uuid4()))
        assert httpx.post(f"{url}/api/v1/events", json=event, trust_env=False).status_code == 202
    assert game.applied() == expected([event])


def is_live(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_status_of_a_running_stack_is_0_and_names_every_process(stack: Stack) -> None:
    told = stack.command("status")
    assert told.returncode == 0, told.stdout + told.stderr
    for name in (
        *("postgres", "redis", "kafka", "web", "bridge", "flower"),
        *("worker-logging", "worker-stats", "worker-leaderboards"),
    ):
        assert re.search(rf"^{name}\s+running\s+{stack.pid(name)}\b", told.stdout, re.MULTILINE)


def test_up_again_is_harmless(stack: Stack) -> None:
    before = stack.env, stack.pid("web"), stack.pid("kafka")
    again = stack.command("up")
    assert again.returncode == 0, again.stderr
    assert (stack.env, stack.pid("web"), stack.pid("kafka")) == before


@pytest.mark.parametrize("path", ["/", "/api/v1/nothing", "/api/v1/players/ada/stats"])
def test_what_is_not_there_is_told_in_json_or_plainly(game: Game, path: str) -> None:
    answer = game.http.get(path, params={"game_id": game.game_id})
    assert answer.status_code == 404
