"""A board is declared over HTTP, in the admin and from a shell alike; who did it is kept."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.leaderboards.board_schema import definition_of, told
from apps.leaderboards.models import Board, BoardVersion
from apps.leaderboards.selectors import definition
from tests.admin_site import BOARDS, page, show
from tests.builders import GAME

pytestmark = pytest.mark.django_db
LADDER: dict[str, Any] = {
    "name": "ladder",
    "event_types": ["duel", "match"],
    "score": "/points",
    "where": {"/share": {"gte": 0.1}},
    "operator": "latest",
    "periods": ["alltime", "season"],
    "season": "0 4 1 * *",
    "timezone": "Europe/Vienna",
    "reason": "the autumn ladder",
}
FORM = {
    **LADDER,
    "game_id": GAME,
    "event_types": "match duel",
    "where": '{"/share": {"gte": 0.10}}',
    "order": "desc",
}
DECLARE = "admin:leaderboards_board_declare"


def by_http(client: Client) -> None:
    answer = client.post(
        f"/api/v1/games/{GAME}/leaderboards",
        LADDER,
        content_type="application/json",
        headers={"Authorization": "Bearer manage"},
    )
    assert (answer.status_code, answer.json()["version"]) == (201, 1)


def by_admin(client: Client) -> None:
    assert client.post(reverse(DECLARE), FORM).status_code == 302


def by_shell(client: Client) -> None:
    assert shell("declare", GAME, "ladder", *arguments()) == "declared\n"


def arguments(where: str = '{"/share": {"gte": 0.1}}') -> list[str]:
    return [
        *("--event-type", "match", "--event-type", "duel", "--score", "/points"),
        *("--operator", "latest", "--period", "alltime", "--period", "season"),
        *("--season", "0 4 1 * *", "--timezone", "Europe/Vienna", "--where", where),
        *("--reason", "the autumn ladder"),
    ]


def shell(*words: str) -> str:
    out = StringIO()
    call_command("board", *words, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def managed(settings: Settings, cache: redis.Redis) -> None:
    settings.MANAGEMENT_KEY = "manage"


@pytest.mark.parametrize("way", [by_http, by_admin, by_shell])
def test_a_board_is_the_same_whoever_declares_it_and_its_version_says_who(
    way: Any, operator: Client
) -> None:
    way(operator)
    board = Board.objects.get()
    kept = BoardVersion.objects.get()
    assert definition(board).where is not None
    assert (kept.board_id, kept.version, kept.reason) == (board.pk, 1, "the autumn ladder")
    assert kept.changed_by
    assert (kept.changed_by == "operator") is (way is by_admin)
    with connection.cursor() as cursor:
        cursor.execute("SELECT definition #>> '{where,/share,gte}' FROM board_versions")
        assert cursor.fetchone() == ("0.1",)
    assert kept.definition == json.loads(json.dumps(told(definition(board)), default=float))
    assert definition_of(GAME, told(definition(board))) == definition(board)
    shown = page(operator, BOARDS, board.pk)
    assert "the autumn ladder" in shown and "version 1" in shown


def test_declaring_the_same_again_makes_no_version(operator: Client) -> None:
    by_http(operator)
    by_admin(operator)
    assert shell("declare", GAME, "ladder", *arguments()) == "was declared so already\n"
    assert BoardVersion.objects.count() == 1


def test_the_form_names_the_field_that_is_wrong(operator: Client) -> None:
    for change, field in (
        ({"where": '{"/share": {"like": 1}}'}, "where"),
        ({"where": "{"}, "where"),
        ({"where": '{"/n": 1e99999999999999999999}'}, "where"),
        ({"where": '{"/n": ' + "[" * 5_000 + "}"}, "where"),
        ({"where": "[]"}, "where"),
        ({"season": "never"}, "season"),
        ({"event_types": "a b\x7f"}, "event_types"),
        ({"game_id": "a\x7fb"}, "game_id"),
        ({"reason": ""}, "reason"),
    ):
        response = operator.post(reverse(DECLARE), {**FORM, **change})
        assert response.status_code == 200
        assert list(response.context["form"].errors) == [field], change
    assert not Board.objects.exists()


def test_a_board_that_is_declared_otherwise_is_told_so(operator: Client) -> None:
    by_http(operator)
    response = operator.post(reverse(DECLARE), {**FORM, "order": "asc"})
    assert "declared otherwise" in response.content.decode()
    with pytest.raises(CommandError, match="declared otherwise"):
        shell("declare", GAME, "ladder", *arguments("{}"))


def test_declaring_takes_its_permission(client: Client) -> None:
    user = User.objects.create_user("bo", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_board"))
    client.force_login(user)
    assert "Declare a board" not in show(client, BOARDS).content.decode()
    assert client.get(reverse(DECLARE)).status_code == 403
    assert client.post(reverse(DECLARE), FORM).status_code == 403
    assert not Board.objects.exists()
    user.user_permissions.add(Permission.objects.get(codename="declare_board"))
    client.force_login(User.objects.get(username="bo"))
    assert "Declare a board" in show(client, BOARDS).content.decode()
    assert client.get(reverse(DECLARE)).status_code == 200


def test_a_shell_lists_and_shows(operator: Client) -> None:
    by_http(operator)
    assert shell("list") == f"{GAME} ladder version 1: latest, desc, alltime, season\n"
    assert shell("list", "--game", "go") == ""
    shown = shell("show", GAME, "ladder")
    assert '"season": "0 4 1 * *"' in shown
    assert shown.endswith("version 1 by management key: the autumn ladder\n")
    with pytest.raises(CommandError):
        shell("show", GAME, "default")
    with pytest.raises(CommandError, match="/where/~1share/gte"):
        shell("declare", GAME, "other", *arguments('{"/share": {"gte": "x"}}'))
