"""PostgreSQL answers every list and search of the admin by an index, reading little more than it
shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.admin_site import ENTRIES, EVENTS, LETTERS, PLAYER_DAYS, STATISTICS, show
from tests.builders import event_id
from tests.plans import explained, nodes

pytestmark = pytest.mark.django_db

ROWS = 50_000
# Half of the rows are of the one big game, one in a thousand of the rare one.
GAME = "CASE WHEN n % 1000 = 0 THEN 'rare' WHEN n % 2 = 0 THEN 'chess' ELSE 'game-' || n % 20 END"
FILL = {
    "events": f"""
        INSERT INTO events (event_id, event_type, player_id, game_id, event_timestamp,
                            ingested_at, data)
        SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'type-' || n % 8,
               'player-' || n % 2000, {GAME}, now() - n * interval '1 s', now(), '{{}}'
          FROM generate_series(1, {ROWS}) AS n""",
    "player_statistics": f"""
        INSERT INTO player_statistics (player_id, game_id, total_events, event_breakdown,
                                       first_event_at, last_event_at, version)
        SELECT 'player-' || n, {GAME}, n % 977, '{{}}', now(), now(), 1
          FROM generate_series(1, {ROWS}) AS n""",
    "player_statistics_daily": f"""
        INSERT INTO player_statistics_daily (player_id, game_id, day, total_events,
                                             event_breakdown, first_event_at, last_event_at)
        SELECT 'player-' || n / 10, {GAME}, date '2026-01-01' + n % 10, n % 977, '{{}}', now(),
               now()
          FROM generate_series(1, {ROWS}) AS n""",
    "leaderboards": f"""
        INSERT INTO leaderboards (game_id, board, period, period_start, player_id, score, rank_key,
                                  achieved_at, moved, version)
        SELECT {GAME}, 'board-' || n % 5, (ARRAY['alltime', 'daily'])[1 + n % 2], now(),
               'player-' || n, n % 977, -(n % 977), now(), true, 1
          FROM generate_series(1, {ROWS}) AS n""",
    "dlq_events": f"""
        INSERT INTO dlq_events (original_event, error_message, consumer_service, cause, exception,
                                state, event_id, event_type, player_id, game_id, topic, topic_id,
                                partition, "offset", headers, raw)
        SELECT '{{}}', '', (ARRAY['stats', 'logging', 'leaderboards'])[1 + n % 3],
               'cause-' || n % 10, '', CASE WHEN n % 5000 = 0 THEN 'replaying'
               WHEN n % 10 = 0 THEN 'open' ELSE 'applied' END,
               ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '',
               'player-' || n % 2000, {GAME}, 't', '00000000-0000-7000-8000-000000000000', 0, n,
               '[]', ''
          FROM generate_series(1, {ROWS}) AS n""",
}
LISTS: dict[str, tuple[str, list[dict[str, str]]]] = {
    EVENTS: (
        "events",
        [
            {},
            {"q": event_id(77)},
            {"q": "player:player-77"},
            {"q": "player:player-77 game:chess type:type-1"},
            {"q": "game:chess"},
            {"q": "game:rare"},
            {"q": "game:chess type:type-2"},
            {"q": "game:absent"},
        ],
    ),
    STATISTICS: (
        "player_statistics",
        [
            {},
            {"q": "player-77"},
            {"q": "player:player-77 game:chess"},
            {"q": "game:chess"},
            {"q": "game:rare"},
        ],
    ),
    PLAYER_DAYS: (
        "player_statistics_daily",
        [
            {},
            {"q": "chess"},
            {"q": "game:chess player:player-77"},
            {"q": "game:rare"},
            {"q": "game:chess player:player-77 day:2026-01-03"},
        ],
    ),
    ENTRIES: (
        "leaderboards",
        [
            {},
            {"q": "player-77"},
            {"q": "player:player-77 board:board-2"},
            {"q": "game:chess"},
            {"q": "game:chess board:board-2"},
            {"q": "game:chess board:board-2 period:alltime"},
        ],
    ),
    LETTERS: (
        "dlq_events",
        [
            {},
            {"q": event_id(77)},
            {"q": "player:player-77"},
            {"q": "game:rare"},
            {"q": "cause:cause-3"},
            {"q": "job:7"},
            {"state": "open"},
            {"state": "replaying"},
            {"state": "discarded"},
            {"consumer_service": "stats"},
            {"consumer_service": "bridge"},
            {"state": "replaying", "consumer_service": "stats"},
            {"q": "cause:cause-3", "state": "applied", "consumer_service": "stats"},
        ],
    ),
}


def plans(captured: CaptureQueriesContext, table: str) -> Iterator[dict[str, Any]]:
    """How PostgreSQL carried out what was read of the table."""
    for query in captured.captured_queries:
        if f'FROM "{table}"' in query["sql"]:
            with connection.cursor() as cursor:
                yield explained(cursor, query["sql"])["Plan"]


def assert_cheap(plan: dict[str, Any], asked: dict[str, str]) -> None:
    assert plan["Node Type"] == "Limit"
    for node in nodes(plan):
        assert node["Node Type"] != "Seq Scan", (asked, node)
        assert node.get("Rows Removed by Filter", 0) <= ROWS / 10, (asked, node)


@pytest.mark.parametrize("name", LISTS)
def test_every_list_and_search_uses_an_index_on_its_first_and_later_pages(
    operator: Client, name: str
) -> None:
    table, asked = LISTS[name]
    with connection.cursor() as cursor:
        cursor.execute(FILL[table])
        cursor.execute(f"ANALYZE {table}")
    for parameters in asked:
        with CaptureQueriesContext(connection) as captured:
            changelist = show(operator, name, **parameters).context["cl"]
            for url in (changelist.next_url, changelist.next_url and changelist.last_url):
                if url:
                    operator.get(reverse(f"admin:{name}_changelist") + url)
        read = list(plans(captured, table))
        assert len(read) == (3 if changelist.next_url else 1)
        for plan in read:
            assert_cheap(plan, parameters)
