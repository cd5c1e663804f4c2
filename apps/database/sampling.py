"""How much of a table autovacuum samples to count it, as an operation of a migration."""

from __future__ import annotations

from typing import Final

from django.db.migrations import RunSQL

# Of PostgreSQL's scale: the sample is 300 times as many rows, instead of 30,000.
TARGET: Final = 10

# By what the table has now: a column that is added later has to be told again, or all of them are
# sampled as before.
_SET: Final = """
DO $$ DECLARE c record; BEGIN
  FOR c IN SELECT attname FROM pg_attribute
            WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped
  LOOP EXECUTE format('ALTER TABLE {table} ALTER COLUMN %I SET STATISTICS {target}', c.attname);
  END LOOP;
END $$
"""


def smaller_sample(table: str) -> RunSQL:
    """Autovacuum counts the table by a tenth of the rows.

    A table that takes writes all the time is counted every minute, whatever its size, which took
    0.1 to 0.2 s of a core each, for which others had to wait. Not for a table that is searched by
    values: a rare one is not in the sample, and the planner takes it for a common one.
    """
    return RunSQL(_SET.format(table=table, target=TARGET), _SET.format(table=table, target=-1))
