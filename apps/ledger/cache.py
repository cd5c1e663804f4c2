"""Redis as a cache: one client a process, and an outage that has a type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

_AWAY = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
)


class CacheUnavailable(ConnectionError):
    """Redis did not answer, or takes no writes."""


def connect(url: str, *, timeout: float) -> redis.Redis:
    """A client that never tries again by itself; `timeout` is of one answer, in seconds.

    After a lost answer redis-py cannot know whether a command ran, and its defaults (10 tries
    of 5 s) block a worker for a minute.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=2.0,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),
    )


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """The cache's client."""
    return connect(settings.REDIS_URL, timeout=5.0)


@contextmanager
def outages() -> Iterator[None]:
    """Turn redis-py's outages into CacheUnavailable; its other errors are deploy faults."""
    try:
        yield
    except _AWAY as error:
        raise CacheUnavailable(f"Redis: {error}") from error
