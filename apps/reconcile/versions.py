"""The version of a repaired row: above all that Redis may have seen of it."""

from __future__ import annotations

from typing import Final

# SQL. A row that is gone took its version with it, so this one does not count changes but
# hundredths of seconds since 1970, above the base of the timeline: no row changes as often. Below
# 2^40 until the year 2318.
REPAIRED: Final = """(
  SELECT (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint << 40)
       + (extract(epoch FROM clock_timestamp()) * 100)::bigint)"""
