"""Versions of rows, which order what two workers write to Redis."""

from __future__ import annotations

from typing import Final

# SQL: the version of a row's first change. A row's version grows by one with each change, but a
# failover to a standby that was behind takes rows back to lower versions than Redis has seen. So a
# version begins anew, above all earlier ones, on each timeline of PostgreSQL: a promotion and a
# restored backup begin another (the first 8 hexadecimal digits of a WAL file's name). 2^40 changes
# a timeline, and 8,192 timelines until Lua's doubles lose a unit. Evaluated once a statement.
FIRST: Final = """(
  SELECT (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint << 40) + 1)"""


def next_of(row: str, offered: str = "EXCLUDED") -> str:
    """SQL: the version of a change to `row`, where `offered` bears FIRST."""
    return f"greatest({row}.version + 1, {offered}.version)"
