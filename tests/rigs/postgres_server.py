"""The rig's PostgreSQL, and what a superuser does to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2

from gamemetrics.stack import postgres
from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.programs import Launch


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresServer:
    """One cluster, made as the local stack makes its own."""

    port: int
    home: Path
    credentials: Credentials

    @property
    def layout(self) -> Layout:
        return Layout(root=self.home)

    @property
    def ports(self) -> Ports:
        return replace(Ports(), postgres_port=self.port)

    @property
    def data(self) -> Path:
        return self.layout.postgres

    def launch(self, *, max_wal_mb: int = 0) -> Launch:
        """How to start it; its cluster is made here. `max_wal_mb` bounds what it keeps of WAL."""
        postgres.prepare(os.environ, self.layout, self.ports, self.credentials)
        launch = Launch.load(self.layout.launch_file("postgres"))
        if not max_wal_mb:
            return launch
        return replace(launch, argv=[*launch.argv, "-c", f"max_wal_size={max_wal_mb}MB"])

    def answers(self) -> bool:
        return postgres.answers(self.ports, self.credentials)

    def url(self, port: int | None = None) -> str:
        """The owner's DATABASE_URL, through another port where one is given."""
        ports = self.ports if port is None else replace(Ports(), postgres_port=port)
        return postgres.database_url(ports, self.credentials)

    @contextmanager
    def cursor(self, *, superuser: bool = False, timeout: int = 60) -> Iterator[Any]:
        """An autocommit cursor in our database, past every proxy; `timeout` in seconds."""
        password = self.credentials.database_password
        if superuser:
            password = self.credentials.database_superuser_password
        connected = psycopg2.connect(
            host=HOST,
            port=self.port,
            user=postgres.SUPERUSER if superuser else postgres.OWNER,
            password=password,
            dbname=postgres.DATABASE,
            connect_timeout=5,
            options=f"-c statement_timeout={timeout * 1000} -c default_transaction_read_only=off"
            " -c timezone=UTC",
        )
        with closing(connected) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement as superuser; its rows, if it has any."""
        with self.cursor(superuser=True) as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []
