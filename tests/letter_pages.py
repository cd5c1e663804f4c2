"""The admin's own pages of dead letters."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from apps.deadletters.models import DeadLetter
from tests.admin_site import (
    LETTERS,
)


def url(deed: str, *key: int) -> str:
    return reverse(f"admin:{LETTERS}_{deed}", args=key)


def state(letter: int) -> str:
    return str(DeadLetter.objects.values_list("state", flat=True).get(pk=letter))


def with_permission(client: Client, *names: str) -> Client:
    user = User.objects.create_user("cyd", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    return client
