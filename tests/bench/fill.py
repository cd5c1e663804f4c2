"""Tables filled set-based, as if events had come for long: by one statement, not through us."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Final

import msgspec

from apps.contract.queues import Consumer
from apps.stats import cache
from gamemetrics.stack.ports import HOST
from tests.bench.events import GAMES, game, player
from tests.bench.rig import Rig
from tests.copies import of_long_ago

STEP: Final = 1_000_000  # rows a statement


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """Events that stand in the tables before a row sends its own."""

    log: int = 0
    statistics: int = 0


# A UUIDv7 for row i, `ago` ms before now: 48 bits of time, then 74 of a hash of i.
_ID: Final = """
(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - {ago}), 12, '0') || '7'
 || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid
"""
_EVENTS: Final = """
INSERT INTO events (event_id, event_type, player_id, game_id, event_timestamp, ingested_at, data)
SELECT {event_id}, (ARRAY['player_score', 'quest_completed', 'item_purchased'])[1 + i % 3],
       'player-' || lpad((hashint8(i) & 2147483647) % {players} || '', 7, '0'),
       'bench-' || (hashint8(i) & 2147483647) % {players} % {games},
       now() - ({total} - i) * interval '1 ms', now() - ({total} - i) * interval '1 ms',
       jsonb_build_object('score', i % 100000)
  FROM generate_series({first}::bigint, {last}::bigint) AS i
"""
_LEDGER: Final = """
INSERT INTO {table} (event_id) SELECT {event_id}
  FROM generate_series({first}::bigint, {last}::bigint) AS i
"""
_ENTRIES: Final = """
INSERT INTO leaderboards (game_id, board, period, period_start, player_id, score, rank_key,
                          achieved_at, moved, version)
SELECT %s, 'default', 'alltime', timestamptz '1970-01-01 00:00:00+00',
       'player-' || lpad(i::text, 7, '0'), s.score, -s.score,
       now() - i * interval '1 ms', true, 1
  FROM generate_series(0, %s - 1) AS i
 CROSS JOIN LATERAL (SELECT (hashint8(i) & 2147483647)::numeric / 100 AS score) AS s
"""
_STATISTICS: Final = """
INSERT INTO player_statistics (player_id, game_id, total_events, event_breakdown, first_event_at,
                               last_event_at, version)
SELECT 'player-' || lpad(i::text, 7, '0'), %s, 1 + i %% 100,
       jsonb_build_object('player_score', 1 + i %% 100), now(), now(), 1
  FROM generate_series(0, %s - 1) AS i
"""
# As the API's events meet them: each player in the game of his number, in all four periods.
_PLAYERS: Final = (
    """
INSERT INTO player_statistics (player_id, game_id, total_events, event_breakdown, first_event_at,
                               last_event_at, version)
SELECT 'player-' || lpad(i::text, 7, '0'), 'bench-' || i % {games}, 1,
       '{{"player_score": 1}}', now(), now(), 1
  FROM generate_series({first}, {last}) AS i
""",
    """
INSERT INTO leaderboards (game_id, board, period, period_start, player_id, score, rank_key,
                          achieved_at, moved, version)
SELECT 'bench-' || i % {games}, 'default', p.period, p.start,
       'player-' || lpad(i::text, 7, '0'), i, -i, now(), true, 1
  FROM generate_series({first}, {last}) AS i
 CROSS JOIN (VALUES ('alltime', timestamptz '1970-01-01 00:00:00+00'),
                    ('daily', date_trunc('day', now())), ('weekly', date_trunc('week', now())),
                    ('monthly', date_trunc('month', now()))) AS p(period, start)
""",
)
# Of the last hour, below the topic's end: many a range of offsets more than once, as if cut anew.
_CHUNKS: Final = """
INSERT INTO applied_chunks (consumer, topic_id, partition, first_offset, next_offset, applied,
                            duplicates, dead, cached)
SELECT consumer, %s, partition, i %% size, i %% size + 1 + i / size, 1, 0, 0, true
  FROM unnest(%s) AS consumer, unnest(%s, %s) AS part(partition, size),
       generate_series(0, %s - 1) AS i
    ON CONFLICT DO NOTHING
"""
LEDGERS: Final = ("stats_applied_events", "leaderboards_applied_events")


def board(rig: Rig, players: int) -> None:
    """The first game's default board of all time, and its players' statistics."""
    with rig.postgres.cursor(timeout=600) as cursor:
        cursor.execute(_ENTRIES, [game(0), players])
        cursor.execute(_STATISTICS, [game(0), players])
    # As autovacuum would within the next minutes, and so within the reads.
    rig.postgres.sql("VACUUM (ANALYZE) leaderboards, player_statistics")
    rig.postgres.sql("CHECKPOINT")


def log(rig: Rig, events: int, players: int) -> Filled:
    """So many events in the log and in the ledgers of who applied them."""
    for first in range(1, events + 1, STEP):
        last = min(events, first + STEP - 1)
        given = {"first": first, "last": last, "total": events, "players": players}
        event_id = _ID.format(ago=f"({events} - i)")
        with rig.postgres.cursor(timeout=600) as cursor:
            cursor.execute(_EVENTS.format(event_id=event_id, games=GAMES, **given))
            for table in LEDGERS:
                cursor.execute(_LEDGER.format(table=table, event_id=event_id, **given))
    if events:
        rig.postgres.sql("VACUUM (ANALYZE) events")
        rig.postgres.sql("CHECKPOINT")
    return Filled(log=events)


def chunks(rig: Rig, number: int) -> Filled:
    """So many applied chunks over all consumers and partitions, in an hour of which the ledger
    forgets none yet."""
    topic = rig.view()
    ends = topic.ends()
    consumers = [consumer.value for consumer in Consumer]
    each = number // (len(consumers) * len(ends))
    given = [str(topic.id), consumers, list(ends), list(ends.values()), each]
    with rig.postgres.cursor(timeout=600) as cursor:
        cursor.execute(_CHUNKS, given)
    rig.postgres.sql("VACUUM (ANALYZE) applied_chunks")
    rig.postgres.sql("CHECKPOINT")
    return Filled()


def copies(rig: Rig, number: int) -> Filled:
    """Copies of so many players' statistics in Redis, as if each had been read long ago."""
    with rig.redis() as client:
        pipeline = client.pipeline(transaction=False)
        for i in range(number):
            copy = of_long_ago(game(i % GAMES), player(i))
            name = cache.key(copy.game_id, copy.player_id)
            pipeline.set(name, msgspec.json.encode(copy), ex=cache.UNREAD)
        pipeline.execute()
    return Filled()


def players(rig: Rig, number: int) -> Filled:
    """So many players who have scored once in their game."""
    for first in range(0, number, STEP):
        given = {"first": first, "last": min(number, first + STEP) - 1, "games": GAMES}
        with rig.postgres.cursor(timeout=600) as cursor:
            for statement in _PLAYERS:
                cursor.execute(statement.format(**given))
    rig.postgres.sql("VACUUM (ANALYZE) player_statistics, leaderboards")
    rig.postgres.sql("CHECKPOINT")
    return Filled(statistics=number)


def boards(rig: Rig, number: int) -> Filled:
    """So many declared boards over all games, beside the default ones, each of one type of event
    in one period."""
    types = {
        "player_score": "/score",
        "quest_completed": "/reward_points",
        "achievement_unlocked": "/points",
        "boss_defeated": "/difficulty_score",
    }
    for turn in range(number):
        event_type, pointer = list(types.items())[turn // GAMES % len(types)]
        declared = {
            "name": f"board-{turn}",
            "event_types": [event_type],
            "score": pointer,
            "operator": ("best", "sum")[turn % 2],
            "periods": ["alltime"],
        }
        request = urllib.request.Request(
            f"http://{HOST}:{rig.ports.web_port}/api/v1/games/{game(turn % GAMES)}/leaderboards",
            data=json.dumps(declared).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {rig.credentials.management_key}",
            },
        )
        urllib.request.urlopen(request, timeout=60).close()
    return Filled()
