"""Versions of rows, which order what two workers write to Redis."""

from __future__ import annotations

from typing import Final

# SQL: the version of a row's first change. A row's version grows by one with each change, but a
# failover to a standby that was behind takes rows back to lower versions than Redis has seen. So a
# version begins anew, above all earlier ones, on each timeline of PostgreSQL: a promotion and a
# restored backup begin another (the first 8 hexadecimal digits of a WAL file's name). 2^40 changes
# a timeline, and 8,192 timelines until Lua's doubles lose a unit. Evaluated once a statement.
_TIMELINE: Final = (
    "(('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint << 40)"
)
FIRST: Final = f"(SELECT {_TIMELINE} + 1)"
# SQL: the version of a repaired row, above all that Redis may have seen of it. A row that is gone
# took its version with it, so this one does not count changes but hundredths of seconds since 1970:
# no row changes as often. Below 2^40 until the year 2318.
REPAIRED: Final = f"(SELECT {_TIMELINE} + (extract(epoch FROM clock_timestamp()) * 100)::bigint)"


def next_of(row: str, offered: str = "EXCLUDED") -> str:
    """SQL: the version of a change to `row`, where `offered` bears FIRST."""
    return f"greatest({row}.version + 1, {offered}.version)"
