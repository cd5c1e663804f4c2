"""The rank order of complete boards in Redis, with the entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from django.db import connection

from apps.leaderboards import rank_index, selectors
from apps.leaderboards.periods import Period
from apps.leaderboards.rank_build import rebuild
from apps.leaderboards.rank_index import BoardPeriod, Place, places_of
from apps.ledger.cache import client, outages
from apps.operations.steps import step
from apps.reconcile import selectors as reading
from apps.reconcile.findings import Finding, Kind, Part
from apps.reconcile.job import Job

_PAGE: Final = 2_000
_SCOPES: Final = """
SELECT l.*, coalesce(b.generation, 0) FROM (
  SELECT DISTINCT game_id, board, period, period_start FROM leaderboards WHERE game_id = %s) AS l
  LEFT JOIN boards AS b ON b.game_id = l.game_id AND b.name = l.board
 ORDER BY 1, 2, 3, 4
"""
_PLACES: Final = """
SELECT game_id, board, period, period_start, player_id, rank_key, achieved_at, version, id
  FROM leaderboards
 WHERE game_id = %(game_id)s AND board = %(board)s AND period = %(period)s
   AND period_start = %(start)s AND id > %(after)s
 ORDER BY id LIMIT %(size)s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Odd:
    """A player whose place in Redis is not that of the entry; None: there is none."""

    player_id: str
    expected: str | None
    found: str | None


def compare(job: Job) -> None:
    """Name, and mend where asked, complete orders that are not those of the entries.

    What differs twice, and was not written in between, is not merely behind.
    Raises CacheUnavailable, KafkaUnavailable, ConsumersBehind.
    """
    suspects: dict[BoardPeriod, dict[str, Odd]] = {}
    games = [job.scope.game_id] if job.scope.game_id is not None else reading.games("leaderboards")
    with step(job.display, "boards in Redis", len(games)):
        for game_id in games:
            for scope in _scopes(game_id):
                found = _odd(job, scope)
                if found:
                    suspects[scope] = found
            job.display.advance(1)
    if suspects:
        job.settle()
    for scope, before in suspects.items():
        again = {
            odd.player_id: odd
            for odd in _odd_of(scope, sorted(before))
            if odd.found == before[odd.player_id].found
        }
        if again and rank_index.size(scope) is not None and selectors.is_current(scope):
            _tell(job, scope, list(again.values()))


def _scopes(game_id: str) -> list[BoardPeriod]:
    with connection.cursor() as cursor:
        cursor.execute(_SCOPES, [game_id])
        return [
            BoardPeriod(
                game_id=game_id,
                board=row[1],
                period=Period(row[2]),
                period_start=row[3].astimezone(UTC),
                generation=row[4],
            )
            for row in cursor.fetchall()
        ]


def _odd(job: Job, scope: BoardPeriod) -> dict[str, Odd]:
    """Differences of a complete order; an incomplete one is not read by anybody."""
    if rank_index.size(scope) is None:
        return {}
    if job.scope.player_id is not None:
        return {odd.player_id: odd for odd in _odd_of(scope, [job.scope.player_id])}
    entries = 0
    found: dict[str, Odd] = {}
    for places in _pages(scope):
        entries += len(places)
        found |= {odd.player_id: odd for odd in _compared(scope, places)}
    held = rank_index.size(scope)
    if held is not None and held > entries:
        for players in _players(scope):
            strangers = set(players) - _with_entry(scope, players)
            found |= {odd.player_id: odd for odd in _odd_of(scope, sorted(strangers))}
    return found


def _pages(scope: BoardPeriod) -> Iterator[list[Place]]:
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                _PLACES,
                {
                    "game_id": scope.game_id,
                    "board": scope.board,
                    "period": scope.period.value,
                    "start": scope.period_start,
                    "after": after,
                    "size": _PAGE,
                },
            )
            rows = cursor.fetchall()
        if not rows:
            return
        yield list(places_of(rows, {(scope.game_id, scope.board): scope.generation}))
        after = rows[-1][-1]


def _compared(scope: BoardPeriod, places: Sequence[Place]) -> Iterator[Odd]:
    if not places:
        return
    rank, players, _, _ = scope.keys()
    copies = [place.copy() for place in places]
    with outages():
        pipeline = client().pipeline(transaction=False)
        pipeline.hmget(players, [place.player_id for place in places])
        pipeline.zmscore(rank, [member for _, _, member in copies])
        held, doubles = pipeline.execute()
    for place, (expected, double, _), copy, score in zip(
        places, copies, held, doubles, strict=True
    ):
        told = None if copy is None else copy.decode("utf-8", "replace")
        if told != expected:
            yield Odd(player_id=place.player_id, expected=expected, found=told)
        elif score != float(double):
            found = f"{told} ranked by {score}"
            yield Odd(player_id=place.player_id, expected=expected, found=found)


def _odd_of(scope: BoardPeriod, players: Sequence[str]) -> list[Odd]:
    """Differences of these players alone."""
    if not players:
        return []
    found: list[Odd] = []
    for first in range(0, len(players), _PAGE):
        some = players[first : first + _PAGE]
        places = [place for place in _places(scope, some) if place.scope == scope]
        found += _compared(scope, places)
        strangers = sorted(set(some) - {place.player_id for place in places})
        if strangers:
            with outages():
                held: Any = client().hmget(scope.keys()[1], strangers)
            found += [
                Odd(player_id=name, expected=None, found=copy.decode("utf-8", "replace"))
                for name, copy in zip(strangers, held, strict=True)
                if copy is not None
            ]
    return found


def _places(scope: BoardPeriod, players: Sequence[str]) -> list[Place]:
    return selectors.places((scope.game_id, scope.period_start, player) for player in players)


def _players(scope: BoardPeriod) -> Iterator[list[str]]:
    """All players of the order, in pages; the marker's field is none."""
    page: list[str] = []
    with outages():
        for name, _ in client().hscan_iter(scope.keys()[1], count=_PAGE):
            page += [name.decode("utf-8", "replace")] if name else []
            if len(page) >= _PAGE:
                yield page
                page = []
    yield page


def _with_entry(scope: BoardPeriod, players: Sequence[str]) -> set[str]:
    found = selectors.entries(scope).filter(player_id__in=players)
    return set(found.values_list("player_id", flat=True))


def _tell(job: Job, scope: BoardPeriod, found: Sequence[Odd]) -> None:
    if job.repair:
        rank_index.mark_incomplete(scope)
        rebuild(scope)  # or another is at it
    for odd in found:
        job.report.add(
            Finding(
                part=Part.REDIS,
                kind=Kind.COPY_DIFFERS,
                consumer="leaderboards",
                where=f"{scope.game_id}/{scope.board} {scope.period}"
                f" {scope.period_start:%FT%TZ} {odd.player_id}",
                expected=odd.expected or "no member",
                found=odd.found or "no member",
                remedy="build the order anew from PostgreSQL",
                repaired=job.repair,
            )
        )
