"""A connection to PostgreSQL that is made when it is needed, and anew after whatever failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import psycopg2


@dataclass(kw_only=True, slots=True)
class Database:
    """Bounded in time, since every statement runs between two polls of Kafka.

    `seconds` is for a statement as for connecting; `lock_seconds` for a lock. `settings` and
    `prepared` (a statement) are those of the connection.
    """

    dsn: str
    name: str
    seconds: int
    lock_seconds: int
    autocommit: bool
    settings: Mapping[str, str] = field(default_factory=dict)
    prepared: str = ""
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
        settings = {
            "statement_timeout": f"{self.seconds}s",
            "lock_timeout": f"{self.lock_seconds}s",
            # To compile a statement takes longer than ours do (docs/decisions/0053).
            "jit": "off",
            **self.settings,
        }
        connection = psycopg2.connect(
            self.dsn,
            connect_timeout=self.seconds,
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
            tcp_user_timeout=10_000,
            application_name=self.name,
        )
        connection.autocommit = self.autocommit
        if self.prepared:
            with connection.cursor() as cursor:
                cursor.execute(self.prepared)
        return connection
