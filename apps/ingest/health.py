"""Liveness and readiness of the web process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Final

import redis
from confluent_kafka import KafkaException
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse

from apps.ingest.publisher import publisher
from apps.kafka.trouble import KafkaDenied
from apps.ledger.cache import connect
from apps.web.answers import answer

TIMEOUT: Final = 2.0  # seconds, for each part; they are asked at the same time


def live(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return answer(200, {"status": "live"})


def ready(request: HttpRequest) -> HttpResponse:
    """Kafka, PostgreSQL and both Redis databases answer; else 503 and which does not."""
    parts: dict[str, Callable[[], None]] = {
        "kafka": _kafka,
        "postgres": _postgres,
        "redis": lambda: _redis("REDIS_URL", settings.REDIS_URL),
        "broker": lambda: _redis("CELERY_BROKER_URL", settings.CELERY_BROKER_URL),
    }
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        futures = {name: pool.submit(_problem, check) for name, check in parts.items()}
        problems = {name: future.result() for name, future in futures.items()}
    ok = not any(problems.values())
    body = {
        "status": "ready" if ok else "unready",
        "checks": {name: problem or "ok" for name, problem in problems.items()},
    }
    return answer(200 if ok else 503, body)


def _problem(check: Callable[[], None]) -> str:
    try:
        check()
    except (KafkaException, KafkaDenied, DatabaseError, redis.RedisError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    finally:
        connection.close()  # the pool's threads end with the request
    return ""


def _kafka() -> None:
    publisher().ping(TIMEOUT)


def _postgres() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM events LIMIT 1")


def _redis(setting: str, url: str) -> None:
    try:
        _client(url).ping()
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise redis.AuthenticationError(f"Redis refuses the user of {setting}: {error}") from error


@lru_cache(maxsize=2)
def _client(url: str) -> redis.Redis:
    return connect(url, timeout=TIMEOUT)
