"""Statements that PostgreSQL plans once a connection, not once a chunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.db import connection

# Names by connection: a new connection, after a failure or a failover, begins without any. Not
# undone by a rollback, as PREPARE is not.
_prepared: Final[WeakKeyDictionary[Any, set[str]]] = WeakKeyDictionary()


class Prepared:
    """One statement; `types` are its parameters and their SQL types.

    In `sql` a parameter is `%(name)s`, and a `%` is itself. Prepared in SQL, since psycopg2 does
    not speak the protocol's own way: behind a pooler that shares a server connection between
    transactions it fails with 26000, a deploy fault, and the chunk waits.
    """

    def __init__(self, name: str, types: Mapping[str, str], sql: str) -> None:
        self.name: Final = name
        places = {parameter: f"${number}" for number, parameter in enumerate(types, 1)}
        for parameter, place in places.items():
            sql = sql.replace(f"%({parameter})s", place)
        arguments = [f"%({parameter})s::{kind}" for parameter, kind in types.items()]
        self._prepare: Final = f"PREPARE {name} ({', '.join(types.values())}) AS {sql}"
        self._execute: Final = f"EXECUTE {name} ({', '.join(arguments)})"

    def execute(self, values: Mapping[str, Any]) -> int:
        """How many rows it changed. Raises what PostgreSQL raises."""
        with connection.cursor() as cursor:
            self._run(cursor, values)
            return int(cursor.rowcount)

    def fetch(self, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that it returns. Raises what PostgreSQL raises."""
        with connection.cursor() as cursor:
            self._run(cursor, values)
            return list(cursor.fetchall())

    def _run(self, cursor: Any, values: Mapping[str, Any]) -> None:
        held = _prepared.setdefault(connection.connection, set())
        if self.name not in held:
            cursor.execute(self._prepare)
            held.add(self.name)
        cursor.execute(self._execute, values)
