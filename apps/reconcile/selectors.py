"""How far the consumers are, and which games there are."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.ledger.models import ConsumerPosition

# A loose index scan: one descent a game, however many rows each has.
_GAMES: Final = """
WITH RECURSIVE game(id) AS (
  (SELECT game_id FROM {table} ORDER BY game_id LIMIT 1)
  UNION ALL
  SELECT (SELECT t.game_id FROM {table} AS t WHERE t.game_id > game.id ORDER BY t.game_id LIMIT 1)
    FROM game WHERE game.id IS NOT NULL
) SELECT id FROM game WHERE id IS NOT NULL
"""
_ROWS: Final = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = %s::regclass"


def low_watermarks(topic_id: uuid.UUID) -> dict[int, int]:
    """For each partition the lowest position; everything before it is applied by all three."""
    held: dict[int, list[int]] = defaultdict(list)
    rows = ConsumerPosition.objects.filter(topic_id=topic_id)
    for partition, next_offset in rows.values_list("partition", "next_offset"):
        held[partition].append(next_offset)
    return {
        partition: min(offsets)
        for partition, offsets in held.items()
        if len(offsets) == len(Consumer)
    }


def behind(topic_id: uuid.UUID, ends: Mapping[int, int]) -> int:
    """How many offsets before `ends` some consumer has not applied."""
    low = low_watermarks(topic_id)
    return sum(max(0, end - low.get(partition, 0)) for partition, end in ends.items())


def games(*tables: str) -> list[str]:
    """The games that have rows in any of the tables."""
    found: set[str] = set()
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(_GAMES.format(table=table))
            found |= {row[0] for row in cursor.fetchall()}
    return sorted(found)


def about(table: str) -> int:
    """How many rows the table has, by PostgreSQL's own estimate."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [table])
        return int(cursor.fetchone()[0])
