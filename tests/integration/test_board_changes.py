"""A board is changed over HTTP and from a shell, with a look at it before it is switched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.contract.queues import Consumer
from apps.leaderboards import changes
from apps.leaderboards.board_schema import definition_of
from apps.leaderboards.locks import BUILD
from apps.leaderboards.models import Board, BoardBuild, BoardVersion, LeaderboardsAppliedEvent
from apps.ledger import coverage
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from tests.admin_site import BOARD_BUILDS, page, show
from tests.admin_site import BOARDS as BOARD_PAGES
from tests.builders import CAST, GAME, TOPIC_ID, chunk, record
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db(transaction=True)
BOARDS = f"/api/v1/games/{GAME}/leaderboards"
READ = f"/api/v1/leaderboards/{GAME}/laps"
LAPS: dict[str, Any] = {
    "name": "laps",
    "event_types": ["lap"],
    "score": "/seconds",
    "operator": "sum",
    "order": "desc",
    "periods": ["alltime"],
}
BEST = {**LAPS, "operator": "best", "order": "asc", "reason": "the fastest lap counts"}


@pytest.fixture(autouse=True)
def manager(client: Client, settings: Settings, cache: redis.Redis) -> Client:
    """ada has driven one lap, bo two, cyd three; each is faster than the one before."""
    settings.MANAGEMENT_KEY = "manage"
    client.defaults["HTTP_AUTHORIZATION"] = "Bearer manage"
    assert send(client, "post", BOARDS, LAPS)[0] == 201
    driven = [name for number, name in enumerate(CAST, 1) for _ in range(number)]
    records = [
        record(offset, player_id=name, event_type="lap", data=f'{{"seconds": {90 - offset}.5}}')
        for offset, name in enumerate(driven)
    ]
    records.append(record(6, player_id="ada", event_type="pit_stop", data='{"seconds": 7}'))
    records.append(record(7, player_id="bo", event_type="pit_stop", data='{"seconds": "short"}'))
    for name in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        apply_chunk(CONSUMERS[name], chunk(records))
    ConsumerPosition.objects.create(
        consumer=Consumer.LOGGING, topic_id=TOPIC_ID, partition=0, next_offset=8
    )
    return client


def send(
    client: Client, method: str, address: str, body: dict[str, Any] | None = None
) -> tuple[int, dict[str, Any]]:
    answer = client.generic(
        method.upper(),
        address,
        b"" if body is None else json.dumps(body).encode(),
        content_type="application/json",
    )
    return answer.status_code, answer.json()


def standings(client: Client) -> list[tuple[str, float]]:
    answer = client.get(READ)
    assert answer.status_code == 200
    return [(line["player_id"], line["score"]) for line in answer.json()["entries"]]


OLD = [("cyd", 259.5), ("bo", 178.0), ("ada", 90.5)]
NEW = [("cyd", 85.5), ("bo", 88.5), ("ada", 90.5)]


def test_a_change_is_asked_for_looked_at_and_switched(manager: Client) -> None:
    assert standings(manager) == OLD
    cursor = manager.get(READ, {"limit": 1}).json()["next"]
    status, body = send(manager, "put", f"{BOARDS}/laps", BEST)
    build = body["build"]
    assert (status, build["state"], build["definition"]["operator"]) == (200, "ready", "best")
    assert (build["events"], build["refused"], build["changes_version"]) == (6, 0, 1)
    report = build["report"]
    assert report["entries"] == {"before": 3, "after": 3, "added": 0, "gone": 0, "changed": 3}
    assert [line["player_id"] for line in report["top_before"]] == ["cyd", "bo", "ada"]
    assert report["top_after"][0] == {"rank": 1, "player_id": "cyd", "score": "85.5"}
    assert report["greatest_moves"] == []
    assert standings(manager) == OLD
    address = f"{BOARDS}/laps/builds/{build['id']}"
    assert send(manager, "get", address) == (200, {"status": "success", "build": build})
    status, body = send(manager, "post", f"{address}/switch")
    assert (status, body["build"]["state"]) == (200, "done")
    assert standings(manager) == NEW
    assert manager.get(READ, {"cursor": cursor}).json()["code"] == "cursor_expired"
    kept = BoardVersion.objects.latest("version")
    assert (kept.version, kept.changed_by) == (2, "management key")
    assert kept.reason == "the fastest lap counts"
    assert send(manager, "post", f"{address}/switch")[1]["code"] == "build_settled"
    assert send(manager, "post", f"{address}/cancel")[0] == 409
    told = send(manager, "get", f"{BOARDS}/laps/builds")[1]["builds"]
    assert [found["state"] for found in told] == ["done"]
    # What comes counts on the board as it is now.
    faster = record(8, player_id="ada", event_type="lap", data='{"seconds": 80}')
    apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([faster]))
    assert standings(manager) == [("ada", 80), *NEW[:2]]


def test_events_that_no_board_counted_are_counted_and_those_without_a_score_are_told(
    manager: Client,
) -> None:
    assert LeaderboardsAppliedEvent.objects.count() == 6
    stops = {**BEST, "event_types": ["lap", "pit_stop"]}
    status, body = send(manager, "put", f"{BOARDS}/laps?switch=true", stops)
    assert (status, body["build"]["state"]) == (200, "done")
    assert (body["build"]["events"], body["build"]["refused"]) == (8, 1)
    assert standings(manager) == [("ada", 7), ("cyd", 85.5), ("bo", 88.5)]
    assert body["build"]["report"]["greatest_moves"][0] == {
        "player_id": "ada",
        "before": 3,
        "after": 1,
    }


def test_what_is_asked_for_wrongly_is_refused(manager: Client) -> None:
    assert send(manager, "post", BOARDS, BEST)[1]["code"] == "board_conflict"
    assert send(manager, "put", f"{BOARDS}/laps", LAPS)[1]["code"] == "unchanged"
    assert send(manager, "put", f"{BOARDS}/other", BEST)[1]["code"] == "name_differs"
    assert send(manager, "put", f"{BOARDS}/other", {**BEST, "name": "other"})[0] == 404
    assert send(manager, "put", f"{BOARDS}/laps", {**BEST, "score": ""})[1]["pointer"] == "/score"
    assert send(manager, "get", f"{BOARDS}/laps/builds/7")[0] == 404
    manager.defaults["HTTP_AUTHORIZATION"] = "Bearer other"
    assert send(manager, "put", f"{BOARDS}/laps", BEST)[0] == 401
    assert send(manager, "get", f"{BOARDS}/laps/builds")[0] == 401
    assert not BoardBuild.objects.exists()


def test_one_change_of_a_board_is_under_way_until_it_is_cancelled(manager: Client) -> None:
    _, body = send(manager, "put", f"{BOARDS}/laps", BEST)
    again = {**BEST, "operator": "max"}
    assert send(manager, "put", f"{BOARDS}/laps", again)[1]["code"] == "build_pending"
    address = f"{BOARDS}/laps/builds/{body['build']['id']}"
    assert send(manager, "post", f"{address}/cancel")[1]["build"]["state"] == "cancelled"
    assert send(manager, "put", f"{BOARDS}/laps", again)[1]["build"]["state"] == "ready"
    assert standings(manager) == OLD


@contextmanager
def another_builder(other: Any) -> Iterator[None]:
    other.execute("SELECT pg_advisory_lock(%s)", [BUILD])
    yield
    other.execute("SELECT pg_advisory_unlock(%s)", [BUILD])


def test_what_cannot_be_built_now_waits_for_a_builder(manager: Client, other: Any) -> None:
    with another_builder(other):
        status, body = send(manager, "put", f"{BOARDS}/laps?switch=true", BEST)
        assert (status, body["build"]["state"]) == (202, "asked")
        with pytest.raises(CommandError, match="Another rebuild"):
            shell("build")
    assert standings(manager) == OLD
    assert "done; 6 events read" in shell("build")
    assert standings(manager) == NEW
    assert shell("build") == "nothing waits to be built\n"


def test_a_great_board_is_built_by_a_command_and_not_by_the_request(
    manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "SMALL", 5)
    status, body = send(manager, "post", BOARDS, {**BEST, "name": "fastest"})
    assert (status, body["build"]["state"], body["build"]["approved"]) == (202, "asked", True)
    assert manager.get(READ.replace("laps", "fastest")).status_code == 404
    assert send(manager, "post", BOARDS, {**BEST, "name": "fastest"})[1]["code"] == "build_pending"
    assert "entries: 0 before, 3 after; 3 added" in shell("build", str(body["build"]["id"]))
    found = manager.get(READ.replace("laps", "fastest")).json()
    assert [line["player_id"] for line in found["entries"]] == ["cyd", "bo", "ada"]
    assert send(manager, "post", BOARDS, {**BEST, "name": "fastest"})[0] == 200
    assert Board.objects.get(name="fastest").version == 1


def shell(*words: str) -> str:
    out = StringIO()
    call_command("board", *words, stdout=out)
    return out.getvalue()


def changed(*more: str) -> list[str]:
    return [
        *("change", GAME, "laps", "--event-type", "lap", "--score", "/seconds"),
        *("--operator", "best", "--order", "asc", "--period", "alltime", "--reason", "faster"),
        *more,
    ]


def test_a_shell_changes_looks_switches_and_cancels(manager: Client) -> None:
    told = shell(*changed())
    number = str(BoardBuild.objects.get().pk)
    assert "ready; 6 events read, 0 without a score" in told
    assert f"manage.py board switch {number}" in told
    assert "ready by" in shell("builds", "--game", GAME)
    assert shell("builds", "--game", "go") == ""
    assert standings(manager) == OLD
    assert shell("cancel", number) == "cancelled\n"
    with pytest.raises(CommandError, match="nothing to switch"):
        shell("switch", number)
    with pytest.raises(CommandError, match="nothing to switch"):
        shell("build", number)
    shell(*changed("--switch"))
    assert standings(manager) == NEW
    with pytest.raises(CommandError, match="defined so already"):
        shell(*changed())


def test_the_admin_asks_looks_switches_and_cancels(manager: Client, operator: Client) -> None:
    board = Board.objects.get(name="laps")
    assert "Change…" in page(operator, BOARD_PAGES, board.pk)
    asking = reverse("admin:leaderboards_boardbuild_ask", args=(board.pk,))
    form = operator.get(asking).context["form"]
    same = {name: form[name].value() for name in form.fields} | {"reason": "none"}
    assert "defined so already" in operator.post(asking, same).content.decode()
    other = operator.post(asking, same | {"name": "other"})
    assert "keeps its game and its name" in other.content.decode()
    better = same | {"operator": "best", "order": "asc"}
    for deed, state, seen in (("cancel", "cancelled", OLD), ("switch", "done", NEW)):
        assert operator.post(asking, better).status_code == 302
        build = BoardBuild.objects.latest("pk")
        shown = page(operator, BOARD_BUILDS, build.pk)
        assert "top_after" in shown and ">Switch<" in shown
        assert "laps" in show(operator, BOARD_BUILDS).content.decode()
        address = reverse(f"admin:leaderboards_boardbuild_{deed}", args=(build.pk,))
        assert operator.get(address).status_code == 405
        operator.post(address)
        build.refresh_from_db()
        assert (build.state, build.asked_by) == (state, "operator")
        assert standings(manager) == seen
        assert ">Switch<" not in page(operator, BOARD_BUILDS, build.pk)
    assert BoardVersion.objects.latest("version").changed_by == "operator"


def test_changing_in_the_admin_takes_the_permission_to_declare(client: Client) -> None:
    user = User.objects.create_user("bo", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_board"))
    client.force_login(user)
    board = Board.objects.get(name="laps")
    assert "Change…" not in page(client, BOARD_PAGES, board.pk)
    asking = reverse("admin:leaderboards_boardbuild_ask", args=(board.pk,))
    assert client.get(asking).status_code == 403
    build = changes.ask(definition_of(GAME, BEST), by="ada")
    for deed in ("switch", "cancel"):
        address = reverse(f"admin:leaderboards_boardbuild_{deed}", args=(build.pk,))
        assert client.post(address).status_code == 403


def test_a_log_that_is_behind_leaves_it_asked_for(
    manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "LOG_PATIENCE", 0.05)
    ConsumerPosition.objects.update(next_offset=7)
    status, body = send(manager, "put", f"{BOARDS}/laps", BEST)
    assert (status, body["build"]["state"]) == (202, "asked")
    ConsumerPosition.objects.update(next_offset=8)
    assert "ready" in shell("build")
