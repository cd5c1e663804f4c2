"""Whether a row counted what it claims to have measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from apps.contract.queues import Consumer
from apps.demo import differences
from apps.demo.database import Database
from tests.bench.fill import Filled
from tests.bench.rig import Rig

_LOG: Final = "SELECT count(*) FROM events"
_STATISTICS: Final = "SELECT coalesce(sum(total_events), 0) FROM player_statistics"
_DEAD: Final = "SELECT count(*) FROM dlq_events"


def counts(
    rig: Rig,
    events: int,
    before: Filled | None = None,
    consumers: Sequence[Consumer] = tuple(Consumer),
) -> list[str]:
    """What differs from the number of events that the row sent to these consumers, on top of what
    was filled in."""
    filled = before or Filled()
    folded = events if Consumer.STATS in consumers else 0
    database = Database(rig.database_url)
    try:
        found = [database.count(query) for query in (_LOG, _STATISTICS, _DEAD)]
    finally:
        database.close()
    return [
        *differences.of_values("events in the log", filled.log + events, found[0]),
        *differences.of_values("events in the statistics", filled.statistics + folded, found[1]),
        *differences.of_values("dead letters", 0, found[2]),
    ]
