"""Who may watch a board where keys are required, as in production."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.builders import GAME

# Not in a transaction: the end of a streamed response ends the connection.
pytestmark = pytest.mark.django_db(transaction=True)
STREAM = f"/api/v1/games/{GAME}/live"
PAGE = f"/boards/{GAME}/default/"


@pytest.fixture(autouse=True)
def production(settings: Any, cache: redis.Redis) -> None:
    settings.API_KEYS_REQUIRED = True
    settings.READ_KEY = "read"
    settings.INGEST_KEY = "ingest"


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def first_of(client: Client, **more: Any) -> bytes:
    answer = client.get(STREAM, **more)
    assert answer.status_code == 200
    frames = iter(answer)
    try:
        return bytes(next(frames))
    finally:
        answer.close()


def test_a_stranger_is_refused_the_stream_and_led_to_the_login(client: Client) -> None:
    assert client.get(STREAM).status_code == 401
    page = client.get(PAGE, {"period": "daily"})
    assert page.status_code == 302
    assert page["Location"] == f"/admin/login/?next={PAGE}%3Fperiod%3Ddaily"


def test_the_read_key_opens_both_and_the_ingest_key_neither(client: Client) -> None:
    assert b"event: snapshot" in first_of(client, headers=bearing("read"))
    assert client.get(PAGE, headers=bearing("read")).status_code == 200
    assert client.get(STREAM, headers=bearing("ingest")).status_code == 403
    assert client.get(PAGE, headers=bearing("ingest")).status_code == 403


def test_an_operator_who_may_see_entries_needs_no_key(client: Client) -> None:
    user = User.objects.create_user("wall", is_staff=True)
    client.force_login(user)
    assert client.get(PAGE).status_code == 403
    assert client.get(STREAM).status_code == 401
    user.user_permissions.add(Permission.objects.get(codename="view_entry"))
    assert client.get(PAGE).status_code == 200
    assert b"event: snapshot" in first_of(client)
