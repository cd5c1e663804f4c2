"""PostgreSQL as an outside observer sees it: plain SQL, none of the product's own models.

The checks must not agree with the product because they share its code.
"""

from __future__ import annotations

import threading
from typing import Any

import psycopg2

from apps.demo.failure import Failed


class DatabaseUnavailable(Failed):
    """PostgreSQL does not answer."""


class Database:
    """One connection in autocommit, shared by threads, made again after it broke."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None
        self._lock = threading.Lock()

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows. Raises DatabaseUnavailable."""
        with self._lock:
            try:
                with self._connected().cursor() as cursor:
                    cursor.execute(query, parameters)
                    return list(cursor.fetchall())
            except psycopg2.Error as error:
                self._close()
                raise DatabaseUnavailable(f"PostgreSQL: {error}".strip()) from error

    def count(self, query: str, *parameters: object) -> int:
        """The single number that the query gives."""
        ((number,),) = self.rows(query, *parameters)
        return int(number or 0)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = psycopg2.connect(
                self._url, connect_timeout=5, application_name="gamemetrics-demo"
            )
            self._connection.autocommit = True
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
