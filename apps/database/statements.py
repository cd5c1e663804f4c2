"""SQL that is written out: run, fetched whole, or page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from django.db import connection

Values = Mapping[str, Any] | Sequence[Any]


def run(statement: str, **values: Any) -> None:
    """Run it. In a statement without values a `%` is itself. Raises what PostgreSQL raises."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def fetch(statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """All its rows. Raises what PostgreSQL raises."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


def pages(name: str, statement: str, values: Values, size: int) -> Iterator[list[tuple[Any, ...]]]:
    """Its rows, `size` at a time, by a server-side cursor of this transaction; `name` is the
    cursor's, and no other's while it is read. Raises what PostgreSQL raises."""
    connection.ensure_connection()
    assert connection.connection is not None
    with closing(connection.connection.cursor(name=name)) as cursor:
        cursor.itersize = size
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(size):
            yield rows
