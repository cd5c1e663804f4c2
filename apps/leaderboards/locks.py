"""Who may change the set of boards while scores are being applied.

Consumers share the lock, so no board appears or changes between an event's claim and its commit
(`upserts.CLAIM`).
"""

from __future__ import annotations

from typing import Final

from django.db import connection

# Advisory lock numbers, of our own choosing; nothing else in the database uses them.
BOARDS: Final = 7_001
BUILD: Final = 7_005  # of the session that builds boards


def hold_scores_still() -> None:
    """No consumer applies a score until this transaction ends; waits for those that do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [BOARDS])
