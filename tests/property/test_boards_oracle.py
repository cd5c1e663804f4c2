"""Random boards of random streams, as concurrent consumers leave them, equal to SQL of its own.

The SQL goes from raw events to entries in one statement: window functions and ordered aggregates,
`date_trunc` in the board's zone. It shares no code with the consumer.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec
import pytest
import redis
from django.db import connection, connections

from apps.contract.chunk import Chunk, Record
from apps.contract.queues import Consumer
from apps.events.models import Event
from apps.leaderboards.declaration import declare
from apps.leaderboards.filters import where_of
from apps.leaderboards.models import Board, Entry, LeaderboardsAppliedEvent
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Definition, Operator, Order
from apps.ledger.models import AppliedChunk, ConsumerPosition
from apps.ledger.services import apply_chunk
from tests.builders import CAST, GAME, TOPIC_ID, board, chunk, event_id, record
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db(transaction=True)
ZONES: Final = ("UTC", "Europe/Vienna", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
# Around clock changes of these zones, the ends of months, weeks and years.
CORNERS: Final = (
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 11, 1, 5, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
)
# Ties, zeros, decimals beyond a double, nothing, and null.
POINTS: Final = ("0", "0", "1", "1", "2", "-3", "1.50", "9007199254740993.1", "null")
MODES: Final = ('"ranked"', '"casual"', "true", "7", "7.0", "7.5", "null", "[7]")
# What SQL makes of a wall clock for the seasons that a cron expression begins.
SEASONS: Final = {
    "0 4 * * *": "date_trunc('day', wall - interval '4 h') + interval '4 h'",
    "30 12 * * 1": "date_trunc('week', wall - interval '12:30') + interval '12:30'",
    "0 6 1 * *": "date_trunc('month', wall - interval '6 h') + interval '6 h'",
    "0 0 1 1,4,7,10 *": "date_trunc('quarter', wall)",
    "": "NULL::timestamp",
}
# A filter, and the same in SQL, of `mode`: the jsonb that is there, NULL where it is JSON's null.
FILTERS: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({}, "true"),
    ({"/mode": "ranked"}, """mode = '"ranked"'"""),
    ({"/mode": {"eq": 7}}, "mode = '7'"),
    ({"/mode": {"ne": 7}}, "mode IS DISTINCT FROM '7'"),
    ({"/mode": {"in": ["casual", 7, True]}}, """mode IN ('"casual"', '7', 'true')"""),
    ({"/mode": {"exists": True}}, "mode IS NOT NULL"),
    ({"/mode": {"exists": False}}, "mode IS NULL"),
    (
        {"/mode": {"gt": 7, "lte": Decimal("7.50")}},
        "jsonb_typeof(mode) = 'number' AND mode > '7' AND mode <= '7.5'",
    ),
    (
        {"/mode": {"lt": 8}, "/points": {"gte": 1}},
        """jsonb_typeof(mode) = 'number' AND mode < '8'
      AND jsonb_typeof(data->'points') = 'number' AND data->'points' >= '1'""",
    ),
)
BODIES: Final = (
    "{}",
    *(f'{{"points": {points}}}' for points in POINTS),
    *(f'{{"points": {points}, "mode": {mode}}}' for points in POINTS for mode in MODES),
)
WORKERS: Final = 3
# BOARD_SEEDS=625 makes 10,000 boards.
SEEDS: Final = int(os.environ.get("BOARD_SEEDS", "8"))
BOARDS: Final = 8  # of a seed and test

RAW: Final = """
DROP TABLE IF EXISTS raw;
CREATE TEMP TABLE raw (event_id uuid PRIMARY KEY, player_id text COLLATE "C", event_type text,
                       at timestamptz, data jsonb)
"""
EXPECTED: Final = """
WITH scored AS (
  SELECT event_id, player_id, at,
         CASE WHEN %(operator)s = 'count' THEN CASE WHEN jsonb_typeof(given) <> 'null' THEN 1 END
              WHEN jsonb_typeof(given) = 'number' THEN given::text::numeric END AS score
    FROM raw,
         LATERAL (SELECT CASE WHEN %(name)s = '' THEN data ELSE data->%(name)s END) AS g(given),
         LATERAL (SELECT nullif(data->'mode', 'null')) AS m(mode)
   WHERE event_type = ANY(%(types)s) AND ({where})
), placed AS (
  SELECT s.*, p.period, p.start
    FROM scored AS s, LATERAL (SELECT at AT TIME ZONE %(zone)s) AS w(wall), LATERAL (VALUES
         ('alltime', timestamptz '1970-01-01 00:00+00'),
         ('daily', date_trunc('day', at, %(zone)s)), ('weekly', date_trunc('week', at, %(zone)s)),
         ('monthly', date_trunc('month', at, %(zone)s)),
         ('season', ({season}) AT TIME ZONE %(zone)s)) AS p(period, start)
   WHERE score IS NOT NULL AND p.period = ANY(%(periods)s)
), stood AS (
  SELECT DISTINCT period, start, player_id,
         CASE %(operator)s
           WHEN 'latest' THEN first_value(score) OVER latest
           WHEN 'min' THEN min(score) OVER one
           WHEN 'max' THEN max(score) OVER one
           WHEN 'best' THEN
             CASE %(order)s WHEN 'desc' THEN max(score) OVER one ELSE min(score) OVER one END
           ELSE sum(score) OVER one END AS score,
         coalesce(max(at) FILTER (WHERE score <> 0) OVER one, min(at) OVER one) AS moved_at,
         max(at) OVER one AS last_at
    FROM placed
  WINDOW one AS (PARTITION BY period, start, player_id),
         latest AS (one ORDER BY at DESC, event_id DESC)
)
SELECT period, start, player_id, score,
       CASE WHEN %(operator)s IN ('sum', 'count') THEN moved_at
            WHEN %(operator)s = 'latest' THEN last_at
            ELSE (SELECT min(p.at) FROM placed AS p
                   WHERE (p.period, p.start, p.player_id, p.score)
                         = (s.period, s.start, s.player_id, s.score)) END,
       row_number() OVER (PARTITION BY period, start ORDER BY
           CASE %(order)s WHEN 'desc' THEN -score ELSE score END,
           CASE WHEN %(operator)s IN ('sum', 'count') THEN moved_at
                WHEN %(operator)s = 'latest' THEN last_at
                ELSE (SELECT min(p.at) FROM placed AS p
                       WHERE (p.period, p.start, p.player_id, p.score)
                             = (s.period, s.start, s.player_id, s.score)) END,
           player_id)
  FROM stood AS s
"""
HELD: Final = """
SELECT period, period_start, player_id, score, achieved_at,
       row_number() OVER (PARTITION BY period, period_start
                          ORDER BY rank_key, achieved_at, player_id)
  FROM leaderboards WHERE board = %(board)s
"""


def drawn(rng: random.Random) -> Definition:
    """A board of any operator, order, periods and zone."""
    operator = rng.choice(list(Operator))
    kept = rng.sample(list(Period), rng.randint(1, 5))
    seasons = [cron for cron in SEASONS if cron]
    return board(
        f"board-{rng.randrange(10**9)}",
        operator=operator,
        order=rng.choice(list(Order)),
        pointer=rng.choice(["", "/points"]) if operator is Operator.COUNT else "/points",
        event_types=tuple(rng.sample(["round", "duel"], rng.randint(1, 2))),
        periods=tuple(period for period in Period if period in kept),
        timezone=rng.choice(ZONES),
        where=rng.choice(FILTERS)[0],
        season=rng.choice(seasons) if Period.SEASON in kept else "",
    )


def stream(rng: random.Random, count: int) -> list[Record]:
    """Events of few players and moments, so that most tie with some other."""
    corner = rng.choice(CORNERS)
    return [
        record(
            number,
            player_id=rng.choice(CAST),
            event_type=rng.choice(["round", "duel", "chat"]),
            at=corner + rng.choice([-1, 1]) * timedelta(minutes=rng.choice([0, 1, 59, 60, 1500])),
            data=rng.choice(BODIES),
        )
        for number in range(count)
    ]


def cut(rng: random.Random, records: Sequence[Record]) -> list[Chunk]:
    """All of them and some twice, in any order, cut anywhere."""
    arrival = [*records, *rng.sample(list(records), len(records) // 3)]
    rng.shuffle(arrival)
    chunks = []
    first = 0
    while first < len(arrival):
        size = rng.randint(1, 12)
        some = [
            msgspec.structs.replace(item, offset=offset)
            for offset, item in enumerate(arrival[first : first + size], start=first)
        ]
        chunks.append(chunk(some))
        first += size
    return chunks


def deliver(chunks: Sequence[Chunk], *beside: Callable[[], object]) -> None:
    """The chunks, by consumers side by side, and what else is done meanwhile."""

    def work(mine: Sequence[Callable[[], object]]) -> None:
        try:
            for deed in mine:
                deed()
        finally:
            connections.close_all()

    consumer = CONSUMERS[Consumer.LEADERBOARDS]
    deeds = [partial(apply_chunk, consumer, carried) for carried in chunks]
    with ThreadPoolExecutor(WORKERS + 1) as pool:
        list(pool.map(work, [*(deeds[n::WORKERS] for n in range(WORKERS)), beside]))


def logged(chunks: Sequence[Chunk]) -> None:
    """The log has all of them before anybody ranks one."""
    for carried in chunks:
        apply_chunk(CONSUMERS[Consumer.LOGGING], carried)
    end = chunks[-1].next_offset
    ConsumerPosition.objects.create(
        consumer=Consumer.LOGGING, topic_id=TOPIC_ID, partition=0, next_offset=end
    )


def fill_raw(records: Sequence[Record]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(RAW)
        cursor.executemany(
            "INSERT INTO raw VALUES (%s, %s, %s, %s, %s)",
            [
                (r.event_id, r.player_id, r.event_type, r.timestamp, bytes(r.data).decode())
                for r in records
            ],
        )


def expected(definition: Definition) -> set[tuple[Any, ...]]:
    (where,) = [sql for given, sql in FILTERS if where_of(given) == definition.where]
    (pointer,) = {scoring.pointer for scoring in definition.scoring.values()}
    parameters = {
        "operator": definition.operator.value,
        "order": definition.order.value,
        "name": pointer.removeprefix("/"),
        "types": list(definition.scoring),
        "periods": [period.value for period in definition.periods],
        "zone": definition.timezone,
    }
    with connection.cursor() as cursor:
        statement = EXPECTED.replace("{where}", where).replace(
            "{season}", SEASONS[definition.season]
        )
        cursor.execute(statement, parameters)
        return set(cursor.fetchall())


def held(definition: Definition) -> set[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(HELD, {"board": definition.name})
        return set(cursor.fetchall())


def start_over() -> None:
    for model in (Entry, Board, LeaderboardsAppliedEvent, ConsumerPosition, AppliedChunk, Event):
        model._default_manager.all().delete()


def judge(definitions: Sequence[Definition], records: Sequence[Record]) -> None:
    fill_raw(records)
    for definition in definitions:
        assert held(definition) == expected(definition), definition
    assert any(expected(definition) for definition in definitions)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_boards_are_what_sql_makes_of_the_raw_events(seed: int, cache: redis.Redis) -> None:
    rng = random.Random(seed)
    start_over()
    definitions = [drawn(rng) for _ in range(BOARDS)]
    for definition in definitions:
        assert declare(definition, by="ada")
    records = stream(rng, 60)
    deliver(cut(rng, records))
    judge(definitions, records)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_boards_declared_while_scores_come_in_are_the_same(seed: int, cache: redis.Redis) -> None:
    rng = random.Random(f"late {seed}")
    start_over()
    early, late = ([drawn(rng) for _ in range(BOARDS // 2)] for _ in range(2))
    for definition in early:
        assert declare(definition, by="ada")
    records = stream(rng, 60)
    chunks = cut(rng, records)
    logged(chunks)
    deliver(chunks, *(partial(declare, definition, by="ada") for definition in late))
    judge([*early, *late], records)


def test_two_events_of_one_moment_leave_the_greater_id(cache: redis.Redis) -> None:
    latest = board(
        "form", operator=Operator.LATEST, event_types=("round",), periods=(Period.ALLTIME,)
    )
    declare(latest, by="ada")
    at = CORNERS[0]
    one = record(0, number=7, event_type="round", at=at, data='{"score": 1}')
    other = record(1, number=9, event_type="round", at=at, data='{"score": 2}')
    late = record(2, number=11, event_type="round", at=at - timedelta(1), data='{"score": 3}')
    for item in (other, one, late):
        apply_chunk(CONSUMERS[Consumer.LEADERBOARDS], chunk([item]))
    row = Entry.objects.get(board="form")
    assert (row.score, str(row.event_id), row.game_id) == (2, event_id(9), GAME)
