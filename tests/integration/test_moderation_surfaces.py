"""Quarantine and moderation over HTTP and from a shell."""

from __future__ import annotations

import io
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.contract.queues import Consumer
from apps.leaderboards import rank_acts
from apps.leaderboards.declaration import declare
from apps.leaderboards.models import Decision, Entry, HiddenPlayer, ModerationAct
from apps.ledger.cache import CacheUnavailable
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from tests.builders import GAME, TOPIC_ID, board, chunk, event_id, record
from tests.totals import CONSUMERS, score_of

pytestmark = pytest.mark.django_db(transaction=True)
BASE = f"/api/v1/games/{GAME}"
WHY = {"reason": "a bot"}


@pytest.fixture
def manager(client: Client, settings: Settings, cache: redis.Redis) -> Client:
    """ada has 7 on the board `race`, and 50 and 60 are held."""
    settings.MANAGEMENT_KEY = "manage"
    client.defaults["HTTP_AUTHORIZATION"] = "Bearer manage"
    declare(board("race", bounds={"max": 10}), by="ada")
    scores = [("ada", 7), ("ada", 50), ("bo", 3), ("ada", 60)]
    carried = chunk(
        [
            record(n, player_id=player_id, data=f'{{"score": {score}}}')
            for n, (player_id, score) in enumerate(scores)
        ]
    )
    for consumer in (Consumer.LOGGING, Consumer.LEADERBOARDS):
        apply_chunk(CONSUMERS[consumer], carried)
    ConsumerPosition.objects.create(
        consumer=Consumer.LOGGING, topic_id=TOPIC_ID, partition=0, next_offset=4
    )
    return client


def post(client: Client, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post(f"{BASE}/{path}", {**WHY, **body}, content_type="application/json")
    return answer.status_code, answer.json()


def race(player_id: str = "ada") -> int | None:
    found = score_of(player_id, board="race")
    return None if found is None else int(found[0])


def test_the_quarantine_is_read_page_by_page_and_released(manager: Client) -> None:
    first = manager.get(f"{BASE}/quarantine", {"limit": 1}).json()
    (newest,) = first["decisions"]
    assert {name: newest[name] for name in ("board", "player_id", "score", "rule", "detail")} == {
        "board": "race",
        "player_id": "ada",
        "score": 60,
        "rule": "max",
        "detail": "60 is above 10",
    }
    assert (newest["event_id"], newest["state"]) == (event_id(3), "held")
    rest = manager.get(f"{BASE}/quarantine", {"limit": 1, "cursor": first["next"]}).json()
    (oldest,) = rest["decisions"]
    assert (oldest["score"], rest["next"]) == (50, None)
    assert manager.get(f"{BASE}/quarantine", {"player_id": "bo"}).json()["decisions"] == []

    status, done = post(manager, "quarantine/release", ids=[oldest["id"]])
    assert status == 200
    assert [(act["action"], act["before"], act["after"]) for act in done["acts"]] == [
        ("release", "held", "released")
    ]
    assert race() == 57
    assert post(manager, "quarantine/release", ids=[oldest["id"]])[1]["acts"] == []
    assert post(manager, "quarantine/remove", ids=[newest["id"]])[0] == 200
    assert race() == 57
    assert manager.get(f"{BASE}/quarantine").json()["decisions"] == []
    acts = manager.get(f"{BASE}/moderation", {"player_id": "ada"}).json()["acts"]
    assert [(act["action"], act["actor"], act["reason"]) for act in acts] == [
        ("remove", "management key", "a bot"),
        ("release", "management key", "a bot"),
    ]


def test_players_and_scores_go_and_come_back(manager: Client) -> None:
    _, hidden = post(manager, "moderation/hide", player_id="ada", board="race")
    assert race() is None
    assert post(manager, "moderation/hide", player_id="ada", board="race")[1]["acts"] == []
    assert post(manager, f"moderation/{hidden['acts'][0]['id']}/undo")[0] == 200
    assert race() == 7
    _, removed = post(manager, "moderation/remove", board="race", event_ids=[event_id(0)])
    assert race() is None
    assert removed["acts"][0]["event_id"] == event_id(0)
    assert post(manager, f"moderation/{removed['acts'][0]['id']}/undo")[0] == 200
    assert race() == 7
    post(manager, "moderation/hide", player_id="ada")
    assert post(manager, "moderation/unhide", player_id="ada")[1]["acts"][0]["undo_of"]
    assert race() == 7


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("moderation/hide", {"player_id": "ada", "board": "nowhere"}, 404, "not_found"),
        ("moderation/remove", {"board": "race", "event_ids": [event_id(9)]}, 404, "not_found"),
        ("moderation/999999/undo", {}, 404, "not_found"),
        ("quarantine/release", {"ids": [999_999]}, 404, "not_found"),
        ("quarantine/release", {"ids": []}, 400, "too_short"),
        ("quarantine/release", {"ids": [2**63]}, 400, "less_than"),
        ("moderation/hide", {"player_id": "a\x00b"}, 400, "string_pattern_mismatch"),
        ("moderation/hide", {"player_id": "ada", "reason": ""}, 400, "string_too_short"),
        ("moderation/hide", {"player_id": "ada", "for": 3}, 400, "extra_forbidden"),
        ("moderation/remove", {"board": "race", "event_ids": ["x"]}, 400, "uuid_parsing"),
    ],
)
def test_what_cannot_be_done_is_told(
    manager: Client, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    found, told = post(manager, path, **body)
    assert (found, told["code"]) == (status, code)
    assert not ModerationAct.objects.exists()


def test_what_was_changed_since_is_not_undone(manager: Client) -> None:
    ids = [Decision.objects.order_by("id").values_list("pk", flat=True)[0]]
    _, released = post(manager, "quarantine/release", ids=ids)
    post(manager, "quarantine/remove", ids=ids)
    status, told = post(manager, f"moderation/{released['acts'][0]['id']}/undo")
    assert (status, told["code"]) == (409, "act_conflict")


def test_an_act_without_redis_is_refused(manager: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> str:
        raise CacheUnavailable("Redis: away")

    monkeypatch.setattr(rank_acts, "suspend", away)
    answer = manager.post(
        f"{BASE}/moderation/hide", {**WHY, "player_id": "ada"}, content_type="application/json"
    )
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert race() == 7


@pytest.mark.parametrize("path", ["quarantine", "moderation"])
def test_a_stranger_learns_and_does_nothing(manager: Client, path: str) -> None:
    manager.defaults["HTTP_AUTHORIZATION"] = "Bearer other"
    assert manager.get(f"{BASE}/{path}").status_code in {401, 403}
    assert post(manager, "moderation/hide", player_id="ada")[0] in {401, 403}
    assert not HiddenPlayer.objects.exists()


def shell(*arguments: str) -> str:
    out = io.StringIO()
    call_command("quarantine", *arguments, stdout=out)
    return out.getvalue()


def test_the_same_from_a_shell(manager: Client) -> None:
    lines = shell("list", GAME).splitlines()
    assert len(lines) == 2
    assert "60 is above 10" in lines[0]
    number = lines[1].split()[0]
    shell("release", GAME, number, "--reason", "true")
    assert race() == 57
    assert shell("release", GAME, number, "--reason", "true") == "it was so already\n"
    shell("confirm", GAME, number, "--reason", "false after all")
    assert race() == 7
    shell("remove", GAME, "race", event_id(0), "--reason", "a bot")
    assert race() is None
    act = ModerationAct.objects.latest("pk").pk
    shell("undo", GAME, str(act), "--reason", "no bot")
    shell("hide", GAME, "ada", "--reason", "a bot")
    assert race() is None
    shell("unhide", GAME, "ada", "--reason", "no bot")
    assert race() == 7
    assert len(shell("log", GAME).splitlines()) == 6
    with pytest.raises(CommandError, match="no board"):
        shell("hide", GAME, "ada", "--board", "nowhere", "--reason", "a bot")
    with pytest.raises(CommandError, match="no event id"):
        shell("remove", GAME, "race", "x", "--reason", "a bot")


@pytest.fixture
def admin(manager: Client) -> Client:
    manager.force_login(User.objects.create_superuser("operator"))
    return manager


def acted(admin: Client, model: str, deed: str, *rows: Any, reason: str = "a bot") -> Any:
    """As an operator does it: selects, is asked why, and says it."""
    address = reverse(f"admin:leaderboards_{model}_changelist")
    selected = [str(row.pk) for row in rows]
    asked = admin.post(address, {"action": deed, "_selected_action": selected})
    assert 'name="reason"' in asked.content.decode()
    form = {"_selected_action": selected, "reason": reason}
    return admin.post(reverse(f"admin:leaderboards_{model}_act", args=(deed,)), form)


def test_an_operator_releases_removes_hides_and_undoes_in_the_admin(admin: Client) -> None:
    first, second = Decision.objects.order_by("id")
    listed = admin.get(reverse("admin:leaderboards_decision_changelist"), {"state": "held"})
    assert "60 is above 10" in listed.content.decode()
    assert acted(admin, "decision", "release", first).status_code == 302
    assert race() == 57
    acted(admin, "decision", "remove", first, second)
    assert race() == 7
    entry = Entry.objects.get(board="race", player_id="ada", period="alltime")
    acted(admin, "entry", "hide", entry)
    assert race() is None
    acted(admin, "hiddenplayer", "unhide", HiddenPlayer.objects.get())
    assert race() == 7
    other = Entry.objects.get(board="race", player_id="ada", period="alltime")
    acted(admin, "entry", "hide_everywhere", other)
    assert score_of("ada") is None
    acted(admin, "moderationact", "undo", ModerationAct.objects.latest("pk"))
    assert race() == 7
    assert {act.actor for act in ModerationAct.objects.all()} == {"operator"}
    again = acted(admin, "moderationact", "undo", ModerationAct.objects.first())
    assert "followed by another" in again.content.decode()


def test_acts_take_their_permission_and_a_reason(admin: Client) -> None:
    decision = Decision.objects.first()
    address = reverse("admin:leaderboards_decision_act", args=("release",))
    form = {"_selected_action": [str(decision and decision.pk)], "reason": " "}
    assert 'name="reason"' in admin.post(address, form).content.decode()
    assert admin.get(address).status_code == 405
    assert admin.post(address.replace("release", "destroy"), form).status_code == 403
    user = User.objects.create_user("bo", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_decision"))
    admin.force_login(user)
    assert admin.post(address, {**form, "reason": "mine"}).status_code == 403
    listed = admin.get(reverse("admin:leaderboards_decision_changelist"))
    assert "Release the selected" not in listed.content.decode()
    assert not ModerationAct.objects.exists()
