"""What the harness does to PostgreSQL and Redis between rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg2.errors
import redis

from apps.contract.queues import Consumer
from gamemetrics.stack import redis_server
from gamemetrics.stack.ports import Ports
from gamemetrics.stack.postgres import OWNER
from tests.rigs.postgres_server import PostgresServer

TRIES: Final = 5
# Positions stay: they are where Kafka is, and what lies below them is refused by them alone.
_OURS: Final = """
SELECT quote_ident(tablename) FROM pg_tables
 WHERE schemaname = 'public' AND tablename <> 'consumer_positions'
   AND tablename NOT LIKE 'django%' AND tablename NOT LIKE 'auth%'
"""


def empty(server: PostgresServer) -> None:
    """Empty every table of the events' way, and begin with a checkpoint behind us."""
    names = ", ".join(row[0] for row in server.sql(_OURS))
    for left in reversed(range(TRIES)):
        try:
            server.sql(f"TRUNCATE {names}")
            break
        except psycopg2.errors.DeadlockDetected:
            # With a look of the bridge's that joins two of them, in the other order.
            if not left:
                raise
    server.sql("CHECKPOINT")


def wal_bytes(server: PostgresServer) -> int:
    """How much WAL the server has written since it was made."""
    return int(server.sql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")[0][0])


def skip_to(
    server: PostgresServer,
    topic_id: str,
    ends: Mapping[int, int],
    consumers: Sequence[Consumer] = tuple(Consumer),
) -> None:
    """Have the bridge, which must not run, begin at these ends for these consumers: they let be
    what lies before."""
    names = [consumer.value for consumer in consumers]
    for partition, end in ends.items():
        server.sql(
            "UPDATE consumer_positions SET next_offset = %s"
            " WHERE topic_id = %s AND partition = %s AND consumer = ANY(%s)",
            *(end, topic_id, partition, names),
        )


@contextmanager
def another(server: PostgresServer, name: str) -> Iterator[str]:
    """The URL of an empty database of our role's, dropped at the end of the block."""
    server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    server.sql(f"CREATE DATABASE {name} OWNER {OWNER}")
    server.sql("CHECKPOINT")
    try:
        yield urlsplit(server.url())._replace(path=f"/{name}").geturl()
    finally:
        server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def cache_client(ports: Ports) -> redis.Redis:
    return redis.Redis.from_url(redis_server.cache_url(ports), socket_timeout=30)


def settings(server: PostgresServer) -> dict[str, str]:
    """What PostgreSQL was told otherwise than its own defaults."""
    rows: list[tuple[Any, ...]] = server.sql(
        "SELECT name, current_setting(name) FROM pg_settings"
        " WHERE source NOT IN ('default', 'override', 'client', 'session', 'database', 'user')"
        "   AND name NOT IN ('port', 'listen_addresses', 'unix_socket_directories')"
    )
    return {str(name): str(value) for name, value in sorted(rows)}
