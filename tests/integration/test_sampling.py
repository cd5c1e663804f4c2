"""What autovacuum reads each minute to count the tables that take every event."""

from __future__ import annotations

import pytest
from django.db import connection

from apps.database.sampling import TARGET

pytestmark = pytest.mark.django_db
BUSY = (
    "applied_chunks",
    "board_attempts",
    "leaderboards",
    "leaderboards_applied_events",
    "player_aggregates",
    "player_sessions",
    "player_statistics_daily",
    "stats_applied_events",
)


@pytest.mark.parametrize("table", BUSY)
def test_no_column_of_a_busy_table_asks_for_a_large_sample(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
            " AND NOT attisdropped AND attstattarget IS DISTINCT FROM %s",
            [table, TARGET],
        )
        assert cursor.fetchall() == []
