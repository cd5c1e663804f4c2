"""Declared aggregates: by HTTP and from a shell, and what players' statistics say then."""

from __future__ import annotations

import json
from datetime import timedelta
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

from apps.contract.chunk import Record
from apps.contract.queues import Consumer
from apps.ledger import coverage
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from apps.reconcile.aggregates import AggregatesProjection
from apps.stats.aggregate_models import PlayerAggregate, StatDefinition
from apps.stats.aggregates import MOST, Definition, Operator
from apps.stats.locks import BUILD
from apps.stats.models import StatsBuild
from tests.admin_site import DEFINITIONS, show
from tests.builders import GAME, NOW, TOPIC_ID, chunk, record
from tests.copies import copy_of, read_before
from tests.totals import CONSUMERS, totals

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = f"/api/v1/games/{GAME}/aggregates"
ADA = f"/api/v1/players/ada/stats?game_id={GAME}"
DAYS = f"/api/v1/players/ada/stats/daily?game_id={GAME}&from=2026-11-19&to=2026-11-21"
DAMAGE: dict[str, Any] = {
    "name": "damage",
    "event_types": ["hit", "crit"],
    "pointer": "/damage",
    "operator": "sum",
    "reason": "the autumn season",
}
RULE = {name: value for name, value in DAMAGE.items() if name != "name"}
SUM = {"value": "1000000000000000000.75", "counted": 3, "skipped": 2}


@pytest.fixture(autouse=True)
def managed(settings: Settings, cache: redis.Redis) -> None:
    settings.MANAGEMENT_KEY = "manage"


def hits() -> list[Record]:
    """Ada hits on two days, twice without a number; bo does something else."""
    told = (
        *('{"damage": 1e18}', '{"damage": "much"}', '{"damage": 1.25}', "{}"),
        '{"damage": -0.50}',
    )
    records = [
        record(n, event_type=("hit", "crit")[n % 2], at=NOW - timedelta(hours=6 * n), data=data)
        for n, data in enumerate(told)
    ]
    return [*records, record(5, player_id="bo", data='{"damage": 7}')]


def apply(records: list[Record]) -> None:
    for name in (Consumer.LOGGING, Consumer.STATS):
        apply_chunk(CONSUMERS[name], chunk(records))
    ConsumerPosition.objects.update_or_create(
        consumer=Consumer.LOGGING.value,
        topic_id=TOPIC_ID,
        partition=0,
        defaults={"next_offset": records[-1].offset + 1},
    )


def send(
    client: Client, method: str, address: str, body: Any, *, key: str = "manage"
) -> tuple[int, Any]:
    response = client.generic(
        method,
        address,
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    return response.status_code, response.json()


def declared(client: Client, **changes: Any) -> tuple[int, Any]:
    return send(client, "POST", ADDRESS, {**DAMAGE, **changes})


def shown(client: Client) -> Any:
    return client.get(ADA).json()["aggregates"]


def test_an_aggregate_declared_after_its_events_is_the_one_declared_before(
    client: Client, cache: redis.Redis
) -> None:
    apply(hits())
    assert shown(client) == {}
    status, body = declared(client)
    assert (status, body) == (
        201,
        {
            **DAMAGE,
            "status": "success",
            "game_id": GAME,
            "event_types": ["crit", "hit"],
            "version": 1,
            "events": 5,
        },
    )
    assert shown(client) == {"damage": SUM}
    after = totals().aggregates
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE events, stats_applied_events, applied_chunks, consumer_positions,"
            " player_statistics, player_statistics_daily, player_aggregates"
        )
    apply(hits())
    assert totals().aggregates == after


def test_what_is_read_is_the_same_from_redis_and_from_postgresql(
    client: Client, cache: redis.Redis
) -> None:
    apply(hits()[:2])
    declared(client)
    client.get(ADA)
    apply(hits()[2:])
    held = copy_of(GAME, "ada")
    assert held is not None
    from_redis = client.get(ADA).json()
    cache.flushdb()
    assert client.get(ADA).json() == from_redis
    assert from_redis["aggregates"] == {"damage": SUM}
    assert copy_of(GAME, "ada") == held


def test_a_history_has_each_day_s_own(client: Client) -> None:
    apply(hits())
    declared(client)
    found = [(day["day"], day["aggregates"]["damage"]) for day in client.get(DAYS).json()["days"]]
    assert found == [
        ("2026-11-19", {"value": "-0.5", "counted": 1, "skipped": 1}),
        ("2026-11-20", {"value": "1000000000000000001.25", "counted": 2, "skipped": 1}),
    ]


def test_who_has_skipped_events_alone_has_no_value(client: Client) -> None:
    apply(hits())
    declared(client, event_types=["player_score"], pointer="/points")
    assert client.get(ADA.replace("ada", "bo")).json()["aggregates"] == {
        "damage": {"value": None, "counted": 0, "skipped": 1}
    }
    assert shown(client) == {}


def test_the_same_again_changes_nothing_and_another_is_a_conflict(client: Client) -> None:
    apply(hits())
    declared(client)
    before = totals()
    assert declared(client, event_types=["hit", "crit", "hit"])[0] == 200
    assert totals() == before
    status, body = declared(client, operator="max")
    assert (status, body["code"], body["pointer"]) == (409, "aggregate_conflict", "/name")
    assert StatDefinition.objects.count() == 1


def test_a_change_is_a_version_filled_anew_and_the_former_is_kept(client: Client) -> None:
    apply(hits())
    declared(client)
    status, body = send(
        client, "PUT", f"{ADDRESS}/damage", {**RULE, "operator": "last", "reason": "fairer"}
    )
    assert (status, body["version"], body["events"]) == (200, 2, 5)
    assert shown(client) == {"damage": {**SUM, "value": "1000000000000000000"}}
    kept = StatDefinition.objects.order_by("version")
    assert [(row.version, row.current, row.operator, row.reason) for row in kept] == [
        (1, False, "sum", "the autumn season"),
        (2, True, "last", "fairer"),
    ]
    (listed,) = client.get(ADDRESS).json()["aggregates"]
    assert (listed["version"], listed["changed_by"]) == (2, "management key")
    send(client, "PUT", f"{ADDRESS}/damage", {**RULE, "event_types": ["player_score"]})
    assert shown(client) == {}
    assert list(PlayerAggregate.objects.values_list("player_id", flat=True)) == ["bo", "bo"]


def test_what_is_not_declared_cannot_be_changed(client: Client) -> None:
    status, body = send(client, "PUT", f"{ADDRESS}/damage", RULE)
    assert (status, body["code"], body["pointer"]) == (404, "not_found", "/name")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"pointer": "damage"}, "/pointer"),
        ({"pointer": ""}, "/pointer"),
        ({"pointer": "/a~2"}, "/pointer"),
        ({"operator": "median"}, "/operator"),
        ({"name": "a b"}, "/name"),
        ({"event_types": []}, "/event_types"),
        ({"event_types": ["a", "b\x7f"]}, "/event_types/1"),
        ({"where": {}}, "/where"),
        ({"reason": "\x00"}, "/reason"),
    ],
)
def test_a_bad_declaration_is_refused_by_name(
    change: dict[str, Any], pointer: str, client: Client
) -> None:
    status, body = declared(client, **change)
    assert (status, body["status"], body["pointer"]) == (400, "error", pointer)
    assert not StatDefinition.objects.exists()


def test_only_the_management_key_declares(client: Client, settings: Settings) -> None:
    settings.READ_KEY = "read"
    for key, expected in (("read", 403), ("other", 401)):
        assert send(client, "POST", ADDRESS, {}, key=key)[0] == expected
        assert send(client, "PUT", f"{ADDRESS}/damage", {}, key=key)[0] == expected


def test_a_game_has_room_for_so_many(client: Client) -> None:
    for number in range(MOST):
        made = Definition(
            game_id=GAME,
            name=f"a{number}",
            event_types=("hit",),
            pointer="/damage",
            operator=Operator.SUM,
        )
        StatDefinition.put_in_force(made, 1, by="ada", reason="")
    status, body = declared(client)
    assert (status, body["code"]) == (409, "too_many_aggregates")


def test_while_another_build_is_at_work_or_the_log_is_behind_try_again(
    client: Client, other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.execute("SELECT pg_advisory_lock(%s)", [BUILD])
    status, body = declared(client)
    assert (status, body["code"]) == (503, "build_running")
    other.execute("SELECT pg_advisory_unlock(%s)", [BUILD])
    monkeypatch.setattr(coverage, "LOG_PATIENCE", 0.05)
    apply_chunk(CONSUMERS[Consumer.STATS], chunk(hits()))
    status, body = declared(client)
    assert (status, body["code"]) == (503, "log_behind")
    assert not StatDefinition.objects.exists()
    apply(hits())
    assert declared(client)[0] == 201


def test_declaring_again_takes_from_redis_what_a_killed_declaration_left(
    client: Client, cache: redis.Redis
) -> None:
    apply(hits())
    declared(client)
    StatsBuild.objects.update(state=StatsBuild.SWITCHED)
    read_before(GAME, ["ada"])
    assert declared(client)[0] == 200
    assert copy_of(GAME, "ada") is None
    assert {build.state for build in StatsBuild.objects.all()} == {"done"}


def test_a_repeated_event_counts_once_in_another_cut(client: Client) -> None:
    declared(client)
    apply(hits())
    before = totals()
    apply_chunk(CONSUMERS[Consumer.STATS], chunk(hits()[1:4], first_offset=20, next_offset=40))
    assert totals() == before


def test_an_aggregate_differing_from_the_log_is_named_and_recomputed(client: Client) -> None:
    apply(hits())
    declared(client)
    before = totals()
    projection = AggregatesProjection()
    assert projection.differing(GAME, None) == []
    PlayerAggregate.objects.filter(counted=3).update(value=1)
    (found,) = projection.differing(GAME, None)
    assert (found.where, found.found) == (
        f"{GAME}/ada/damage",
        "sum 1, 3 counted, 2 skipped",
    )
    projection.refresh(projection.rebuild(GAME, [found.player_id]))
    assert totals() == before
    assert shown(client) == {"damage": SUM}


def shell(*words: str) -> str:
    out = StringIO()
    call_command("aggregate", *words, stdout=out)
    return out.getvalue()


def test_the_shell_declares_changes_and_lists(client: Client) -> None:
    apply(hits())
    words = (GAME, "damage", "--event-type", "hit", "--event-type", "crit", "--pointer", "/damage")
    assert "version 1" in shell("declare", *words, "--operator", "sum", "--reason", "autumn")
    assert shown(client) == {"damage": SUM}
    again = shell("declare", *words, "--operator", "sum", "--reason", "autumn")
    assert again == "was declared so already\n"
    with pytest.raises(CommandError, match="declared otherwise"):
        shell("declare", *words, "--operator", "min", "--reason", "autumn")
    assert "version 2" in shell("change", *words, "--operator", "min", "--reason", "less")
    assert shown(client)["damage"]["value"] == "-0.5"
    assert "damage version 2: min of /damage" in shell("list", "--game", GAME)
    with pytest.raises(CommandError, match="/pointer"):
        shell("change", *words[:-1], "damage", "--operator", "min", "--reason", "less")


FORM = {**RULE, "game_id": GAME, "name": "damage", "event_types": "hit crit"}
DECLARE = "admin:stats_statdefinition_declare"


def test_the_admin_declares_and_changes_and_says_who(operator: Client) -> None:
    apply(hits())
    response = operator.post(reverse(DECLARE), FORM)
    assert response.status_code == 302
    assert "the autumn season" in operator.get(response["Location"]).content.decode()
    assert shown(operator) == {"damage": SUM}
    refused = operator.post(reverse(DECLARE), {**FORM, "operator": "min"})
    assert "declared otherwise" in refused.content.decode()
    changed = operator.post(reverse(DECLARE), {**FORM, "operator": "min", "change": "on"})
    assert changed.status_code == 302
    kept = StatDefinition.objects.get(current=True)
    assert (kept.version, kept.operator, kept.changed_by) == (2, "min", "operator")


def test_the_form_names_the_field_that_is_wrong(operator: Client) -> None:
    for change, field in (
        ({"pointer": "damage"}, "pointer"),
        ({"event_types": "a b\x7f"}, "event_types"),
        ({"game_id": "a\x7fb"}, "game_id"),
        ({"name": "-"}, "name"),
        ({"reason": ""}, "reason"),
    ):
        response = operator.post(reverse(DECLARE), {**FORM, **change})
        assert response.status_code == 200
        assert list(response.context["form"].errors) == [field], change
    assert not StatDefinition.objects.exists()


def test_declaring_in_the_admin_takes_its_permission(client: Client) -> None:
    user = User.objects.create_user("bo", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_statdefinition"))
    client.force_login(user)
    assert "Declare an aggregate" not in show(client, DEFINITIONS).content.decode()
    assert client.post(reverse(DECLARE), FORM).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="declare_aggregate"))
    client.force_login(User.objects.get(username="bo"))
    assert "Declare an aggregate" in show(client, DEFINITIONS).content.decode()
    assert client.get(reverse(DECLARE)).status_code == 200
