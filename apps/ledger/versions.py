"""Versions of rows, which order what two workers write to Redis."""

from __future__ import annotations

from typing import Final

# SQL: a version above all that any row was given before, on this timeline or an earlier one.
#
# Counting changes alone would not do. Rows go back in time at a failover to a standby that was
# behind, and at a crash without synchronous commits; they come to their totals again in other
# chunks, so with other counts, while Redis holds what is lost. A row that is gone takes its count
# with it. So a version is PostgreSQL's timeline, which a promotion or a restored backup raises (the
# first 8 hexadecimal digits of a WAL file's name), and milliseconds since 1970: no row changes as
# often. 42 bits last until 2109, and 2,048 timelines until Lua's doubles lose a unit.
FRESH: Final = """(
  SELECT (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint << 42)
         + (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"""


def next_of(row: str, offered: str = "EXCLUDED") -> str:
    """SQL: the version of a change to `row`, where `offered` bears FRESH.

    Two changes within a millisecond still differ.
    """
    return f"greatest({row}.version + 1, {offered}.version)"
