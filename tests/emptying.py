"""The test database between two tests that commit."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

# What `migrate` put there; no test adds to it.
KEPT: Final = ("auth_permission", "django_content_type")


def truncate_filled(_case: Any) -> None:
    """Empty the tables that have rows.

    In the place of Django's own way, which truncates every table there is and then has all
    permissions made anew: a second for each of some hundred tests.
    """
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = set(names) - set(KEPT)
    quoted = {table: connection.ops.quote_name(table) for table in sorted(tables)}
    asked = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {name})" for table, name in quoted.items()
    )
    with connection.cursor() as cursor:
        cursor.execute(asked)
        filled = ", ".join(quoted[table] for (table,) in cursor.fetchall())
        if filled:
            # Cascade: who refers to a row of these has none.
            cursor.execute(f"TRUNCATE {filled} CASCADE")
