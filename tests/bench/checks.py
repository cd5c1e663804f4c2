"""Whether a row counted what it claims to have measured."""

from __future__ import annotations

from typing import Final

from apps.demo import differences
from apps.demo.database import Database
from tests.bench.rig import Rig

_COUNTS: Final = {
    "events in the log": "SELECT count(*) FROM events",
    "events in the statistics": "SELECT coalesce(sum(total_events), 0) FROM player_statistics",
    "dead letters": "SELECT count(*) FROM dlq_events",
}


def counts(rig: Rig, events: int, *, before: int = 0) -> list[str]:
    """What differs from the number of events that the row sent into `before` others."""
    database = Database(rig.database_url)
    try:
        return [
            problem
            for name, query in _COUNTS.items()
            for problem in differences.of_values(
                name, 0 if name == "dead letters" else before + events, database.count(query)
            )
        ]
    finally:
        database.close()
