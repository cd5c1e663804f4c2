"""A connection to PostgreSQL that is made when it is needed, and anew after whatever failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import psycopg2


@dataclass(kw_only=True, slots=True)
class Database:
    """Bounded in time, since every statement runs between two polls of Kafka.

    `seconds` is for a statement as for connecting; `lock_seconds` for a lock.
    """

    dsn: str
    name: str
    seconds: int
    lock_seconds: int
    autocommit: bool
    _connection: Any = field(default=None, init=False)

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor, in a transaction of its own unless `autocommit`. Raises psycopg2.Error."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            # Entered, even a connection in autocommit begins a transaction (psycopg2 2.9).
            transaction = nullcontext() if self.autocommit else self._connection
            with transaction, self._connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error:
            self.close()
            raise

    def close(self) -> None:
        """Let the connection go; the next cursor makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> Any:
        timeouts = f"-c statement_timeout={self.seconds}s -c lock_timeout={self.lock_seconds}s"
        connection = psycopg2.connect(
            self.dsn,
            connect_timeout=self.seconds,
            options=timeouts,
            tcp_user_timeout=10_000,
            application_name=self.name,
        )
        connection.autocommit = self.autocommit
        return connection
