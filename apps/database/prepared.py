"""Statements that PostgreSQL plans once a connection, not once a chunk."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections


@dataclass(kw_only=True, slots=True)
class _Session:
    """What is prepared on a connection of psycopg2, and the one cursor that all of it uses.

    A rollback undoes neither.
    """

    connection: Any
    cursor: Any
    names: set[str] = field(default_factory=set)


class _Thread(threading.local):
    """A thread's own connection of Django's, and what is prepared on it.

    Django looks it up in a local of its own at each statement; with the few statements of a small
    chunk that was a twentieth of a worker's time.
    """

    def __init__(self) -> None:
        self.database: Final = connections[DEFAULT_DB_ALIAS]
        self._session = _Session(connection=None, cursor=None)

    def session(self) -> _Session:
        """After a failure or a failover the connection is a new one, and nothing is prepared."""
        database = self.database
        database.close_if_health_check_failed()
        # Asked here: its own check comes after Django's look for an event loop.
        if database.connection is None:
            database.ensure_connection()
        if self._session.connection is not database.connection:
            self._session = _Session(
                connection=database.connection, cursor=database.create_cursor()
            )
        return self._session


_thread: Final = _Thread()


def array(values: Iterable[object]) -> str:
    """An array's parameter, of values that need no quotes, as PostgreSQL's text: psycopg2 would
    adapt each value by itself."""
    return f"{{{','.join(map(str, values))}}}"


class Prepared:
    """One statement; `types` are its parameters and their SQL types.

    In `sql` a parameter is `%(name)s`, and a `%` is itself. Prepared in SQL, since psycopg2 does
    not speak the protocol's own way: behind a pooler that shares a server connection between
    transactions it fails with 26000, a deploy fault, and the chunk waits.

    `before` is a statement that runs first on the same way to the server. A lock belongs there:
    a statement sees what was committed before it began, so not what it waited for itself.
    """

    def __init__(self, name: str, types: Mapping[str, str], sql: str, *, before: str = "") -> None:
        self.name: Final = name
        for number, parameter in enumerate(types, 1):
            sql = sql.replace(f"%({parameter})s", f"${number}")
        arguments = [f"%({parameter})s::{kind}" for parameter, kind in types.items()]
        self._prepare: Final = f"PREPARE {name} ({', '.join(types.values())}) AS {sql}"
        first = f"{before}; " if before else ""
        self._execute: Final = f"{first}EXECUTE {name} ({', '.join(arguments)})"

    def execute(self, values: Mapping[str, Any]) -> int:
        """How many rows it changed. Raises what PostgreSQL raises."""
        return int(self._run(values).rowcount)

    def fetch(self, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that it returns. Raises what PostgreSQL raises."""
        return list(self._run(values).fetchall())

    def execute_each(self, values: Iterable[Mapping[str, Any]]) -> None:
        """Run it with each of the values, all on one way to the server and in one transaction.

        Raises what PostgreSQL raises.
        """
        cursor = self._cursor()
        each = [cursor.mogrify(self._execute, some).decode() for some in values]
        cursor.execute("; ".join(each))

    def _run(self, values: Mapping[str, Any]) -> Any:
        cursor = self._cursor()
        cursor.execute(self._execute, values)
        return cursor

    def _cursor(self) -> Any:
        """A cursor of this thread's connection, which knows the statement."""
        session, database = _thread.session(), _thread.database
        # A new cursor for each statement, as Django has it, costs more than the statement's way
        # to the server and back.
        wrap = database.make_debug_cursor if database.queries_logged else database.make_cursor
        cursor = wrap(session.cursor)
        if self.name not in session.names:
            cursor.execute(self._prepare)
            session.names.add(self.name)
        return cursor
