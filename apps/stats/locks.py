"""Who may replace statistics while events are being applied.

Consumers share the lock (`fold.FOLD`), so nobody replaces rows between an event's claim and its
commit.
"""

from __future__ import annotations

from typing import Final

from django.db import connection

# Advisory lock numbers, of our own choosing; nothing else in the database uses them.
STATISTICS: Final = 7_003
BUILD: Final = 7_004  # of the session that rebuilds


def hold_statistics_still() -> None:
    """No consumer applies to statistics until this transaction ends; waits for those that do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [STATISTICS])
