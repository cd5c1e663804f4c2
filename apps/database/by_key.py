"""Rows that a prepared statement finds by their key, one by one, whatever the planner believes.

Its plan is made once, on a new database of tables that are empty, and kept until autovacuum has
counted them. As long as there is nothing in a table, reading all of it is cheapest.
"""

from __future__ import annotations

from typing import Final

# SQL: select this before the statement, in its transaction. An index is used wherever there is
# one.
INDEXED: Final = """set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true)"""


def found(row: str, other: str, *columns: str, within: str = "") -> str:
    """SQL: `row` of a table has the key of `other`, its columns in an index's order.

    Of `=`, the planner may make a hash or a merge join. It knows none by a range, here from the key
    to itself. It takes a range for a tenth of the table, so the range's first column is compared
    once more, by what no index takes, but is estimated well. A scan ends where that column changes:
    let few rows have the same. `within` is a column before it in the index that many rows share.
    """
    own, asked = (", ".join(f"{name}.{column}" for column in columns) for name in (row, other))
    shared = f"{row}.{within} = ANY (ARRAY[{other}.{within}]) AND " if within else ""
    return f"""{shared}({own}) >= ({asked}) AND ({own}) <= ({asked})
           AND {row}.{columns[0]} IS NOT DISTINCT FROM {other}.{columns[0]}"""
