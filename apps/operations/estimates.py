"""How many rows a table has, without counting them."""

from __future__ import annotations

from django.db import connections, models

# A partitioned table has no statistics of its own: those of its leaves are added up. A plain table
# is in no partition tree.
_ESTIMATE = """
SELECT CASE WHEN min(reltuples) >= 0 THEN sum(reltuples)::bigint END
  FROM pg_class
 WHERE (oid = %(table)s::regclass AND relkind = 'r')
    OR oid IN (SELECT relid FROM pg_partition_tree(%(table)s::regclass) WHERE isleaf)
"""


def estimated_rows(model: type[models.Model], using: str) -> int | None:
    """The planner's count as of the last ANALYZE; None if there was none."""
    table = connections[using].ops.quote_name(model._meta.db_table)
    with connections[using].cursor() as cursor:
        cursor.execute(_ESTIMATE, {"table": table})
        rows: int | None = cursor.fetchone()[0]
        return rows
