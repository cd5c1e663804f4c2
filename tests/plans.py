"""How PostgreSQL carries out a statement: run with EXPLAIN, and read node by node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any


def explained(cursor: Any, statement: str, values: Sequence[Any] | None = None) -> dict[str, Any]:
    """What EXPLAIN says of the statement, which it runs; the plan is under `Plan`."""
    cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
    ((found,),) = cursor.fetchall()
    # Django has psycopg2 hand JSON over as text.
    (top,) = json.loads(found) if isinstance(found, str) else found
    return dict(top)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def scans(plan: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """The nodes that read the table. What an INSERT meets there is not read by a node."""
    return [
        node
        for node in nodes(plan)
        if node.get("Relation Name") == table and node["Node Type"] != "ModifyTable"
    ]


def rows_read(plan: dict[str, Any], table: str) -> int:
    """Rows of the table that its scans came by, taken or not."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in scans(plan, table)
    )


def rows_compared(plan: dict[str, Any]) -> int:
    """Pairs of rows that joins looked at in vain."""
    return sum(
        node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"] for node in nodes(plan)
    )
