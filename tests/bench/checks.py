"""Whether a row counted what it claims to have measured."""

from __future__ import annotations

from typing import Final

from apps.demo import differences
from apps.demo.database import Database
from tests.bench.fill import Filled
from tests.bench.rig import Rig

_LOG: Final = "SELECT count(*) FROM events"
_STATISTICS: Final = "SELECT coalesce(sum(total_events), 0) FROM player_statistics"
_DEAD: Final = "SELECT count(*) FROM dlq_events"


def counts(rig: Rig, events: int, before: Filled | None = None) -> list[str]:
    """What differs from the number of events that the row sent, on top of what was filled in."""
    filled = before or Filled()
    database = Database(rig.database_url)
    try:
        found = [database.count(query) for query in (_LOG, _STATISTICS, _DEAD)]
    finally:
        database.close()
    return [
        *differences.of_values("events in the log", filled.log + events, found[0]),
        *differences.of_values("events in the statistics", filled.statistics + events, found[1]),
        *differences.of_values("dead letters", 0, found[2]),
    ]
