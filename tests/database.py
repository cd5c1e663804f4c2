"""The test's database, as a process without Django reaches it."""

from __future__ import annotations

from django.db import connection

from gamemetrics.environment import DatabaseSettings


def dsn() -> str:
    """What the bridge connects with."""
    parameters = connection.get_connection_params()
    return DatabaseSettings(
        host=parameters["host"],
        port=int(parameters["port"]),
        name=parameters["dbname"],
        user=parameters["user"],
        password=parameters["password"],
        tls={},
    ).dsn()
