"""Boards full of entries, and SQL that says where everybody stands on them.

The oracle orders by the score itself, by window functions over all of the board, and shares no
code with the reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from apps.leaderboards.models import Entry
from apps.leaderboards.periods import EPOCH, Period
from apps.leaderboards.rank_index import BoardPeriod
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.rules import Order
from tests.builders import GAME

SCOPE = BoardPeriod(game_id=GAME, board="points", period=Period.ALLTIME, period_start=EPOCH)
_FIRST: Final = {Order.DESC: "score DESC", Order.ASC: "score ASC"}
_LAST: Final = {Order.DESC: "score ASC", Order.ASC: "score DESC"}
_ORACLE: Final = """
SELECT player_id, score, achieved_at,
       row_number() OVER (ORDER BY {first}, achieved_at, player_id COLLATE "C"),
       rank() OVER (ORDER BY {first}),
       dense_rank() OVER (ORDER BY {first}),
       trunc((100 * cume_dist() OVER (ORDER BY {last}))::numeric, 4)
  FROM leaderboards
 WHERE game_id = %s AND board = %s AND period = %s AND period_start = %s
 ORDER BY 4
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stand:
    """Where a player stands, says the oracle."""

    player_id: str
    score: Decimal
    achieved_at: datetime
    ranks: dict[RankMode, int]
    percentile: Decimal

    def told(self, mode: RankMode) -> tuple[int, str, Decimal, datetime]:
        """As a read tells it."""
        return self.ranks[mode], self.player_id, self.score, self.achieved_at


def oracle(order: Order, scope: BoardPeriod = SCOPE) -> list[Stand]:
    """Everybody on the board, in rank order."""
    statement = _ORACLE.format(first=_FIRST[order], last=_LAST[order])
    with connection.cursor() as cursor:
        cursor.execute(
            statement, [scope.game_id, scope.board, scope.period.value, scope.period_start]
        )
        return [
            Stand(
                player_id=row[0],
                score=row[1],
                achieved_at=row[2].astimezone(UTC),
                ranks=dict(zip(RankMode, row[3:6], strict=True)),
                percentile=row[6],
            )
            for row in cursor.fetchall()
        ]


def fill(
    entries: Iterable[tuple[str, Decimal, datetime]],
    order: Order = Order.DESC,
    scope: BoardPeriod = SCOPE,
) -> None:
    """Put entries of (player, score, achieved_at) into PostgreSQL alone."""
    Entry.objects.bulk_create(
        Entry(
            game_id=scope.game_id,
            board=scope.board,
            period=scope.period.value,
            period_start=scope.period_start,
            player_id=player_id,
            score=score,
            rank_key=score.copy_negate() if order is Order.DESC else score,
            achieved_at=achieved_at,
            moved=True,
            version=1,
        )
        for player_id, score, achieved_at in entries
    )


def fill_by_sql(count: int, score: str, scope: BoardPeriod = SCOPE) -> None:
    """`count` players "p1", "p2", ... on a descending board; `score` is SQL of n."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO leaderboards (game_id, board, period, period_start, player_id, score,"
            " rank_key, achieved_at, moved, version)"
            f" SELECT %s, %s, %s, %s, 'p' || n, {score}, -({score}),"
            " '2026-11-20T11:00:00Z'::timestamptz + n * interval '1 second', true, 1"
            " FROM generate_series(1, %s) AS n",
            [scope.game_id, scope.board, scope.period.value, scope.period_start, count],
        )


def expected_lines(
    stands: Sequence[Stand], mode: RankMode
) -> list[tuple[int, str, Decimal, datetime]]:
    return [stand.told(mode) for stand in stands]


def lines_of(body: dict[str, Any]) -> list[tuple[int, str, Decimal, datetime]]:
    """The entries of an answer that was asked for with scores=string."""
    return [
        (
            entry["rank"],
            entry["player_id"],
            Decimal(entry["score"]),
            datetime.fromisoformat(entry["achieved_at"]),
        )
        for entry in body["entries"]
    ]
