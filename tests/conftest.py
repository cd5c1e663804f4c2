"""What every tier shares: the database starts when it is asked for, and a cache starts empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.test import TransactionTestCase

from apps.ledger.cache import client
from tests.emptying import empty


# Here, not in tests/services.py: pytest-django is registered after that plugin and would win.
@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, postgres: str
) -> None:
    """Only a test that asks for the database starts PostgreSQL."""


@pytest.fixture(scope="session", autouse=True)
def quick_emptying() -> Iterator[None]:
    """A test that commits leaves an empty database, as with Django's own teardown."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: empty())
        yield


@pytest.fixture
def cache(redis_server: str) -> Iterator[redis.Redis]:
    """The Redis that the consumers write to, emptied."""
    connected = client()
    connected.flushdb()
    yield connected
    connected.flushdb()
