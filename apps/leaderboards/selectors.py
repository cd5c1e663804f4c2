"""Reading boards: definitions, and entries as PostgreSQL has them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from apps.database.prepared import Prepared
from apps.leaderboards.bounds import bounds_of_text
from apps.leaderboards.filters import where_of_text
from apps.leaderboards.models import Board, Entry, EntryQuerySet, Tombstone
from apps.leaderboards.periods import Period
from apps.leaderboards.rank_index import BoardPeriod, Place, places_of
from apps.leaderboards.rules import (
    DEFAULT_BOARD,
    Definition,
    Operator,
    Order,
    Scoring,
    default_definition,
)
from apps.leaderboards.upserts import as_json

# What `places_of` reads.
PLACE = (
    *("game_id", "board", "period", "period_start", "player_id"),
    *("rank_key", "achieved_at", "version"),
)
_PLACES: Final = Prepared(
    "read_places",
    {"touched": "json"},
    f"""
SELECT {", ".join(f"l.{column}" for column in PLACE)}
  FROM json_to_recordset(%(touched)s) AS t(
       game_id text, period_start timestamptz, player_id text)
  JOIN leaderboards AS l USING (player_id, game_id, period_start)
""",
)


def definitions(game_ids: Iterable[str]) -> dict[str, list[Definition]]:
    """The boards of each game: declared ones, and the default one unless redefined."""
    found: dict[str, list[Definition]] = {game_id: [] for game_id in game_ids}
    for board in Board.objects.filter(game_id__in=list(found)).order_by("game_id", "name"):
        found[board.game_id].append(definition(board))
    for game_id, boards in found.items():
        if not any(board.name == DEFAULT_BOARD for board in boards):
            boards.append(default_definition(game_id))
    return found


def definition_of(game_id: str, name: str) -> Definition | None:
    """One board of a game; None where it is not declared."""
    return next((d for d in definitions([game_id])[game_id] if d.name == name), None)


def version_of(definition: Definition) -> int:
    """The version of a declared board."""
    found = Board.objects.get(game_id=definition.game_id, name=definition.name)
    return found.version


def definition(board: Board) -> Definition:
    """The rules of a stored board."""
    scoring = Scoring(pointer=board.score)
    return Definition(
        game_id=board.game_id,
        name=board.name,
        scoring=dict.fromkeys(board.event_types, scoring),
        operator=Operator(board.operator),
        order=Order(board.order),
        periods=tuple(Period(period) for period in board.periods),
        timezone=board.timezone,
        where=where_of_text(board.where),
        season=board.season,
        bounds=bounds_of_text(board.bounds),
    )


def places(touched: Iterable[tuple[str, datetime, str]]) -> list[Place]:
    """Committed places of (game_id, period_start, player_id), on whatever board."""
    keys = [
        {"game_id": game_id, "period_start": period_start, "player_id": player_id}
        for game_id, period_start, player_id in set(touched)
    ]
    return list(places_of(_PLACES.fetch({"touched": as_json(keys)}))) if keys else []


def entries(scope: BoardPeriod) -> EntryQuerySet:
    """Of one board in one period, in no order."""
    return Entry.objects.filter(
        game_id=scope.game_id,
        board=scope.board,
        period=scope.period,
        period_start=scope.period_start,
    )


def tombstones(scope: BoardPeriod) -> dict[str, int]:
    """The versions of entries that acts took away, by player."""
    found = Tombstone.objects.filter(
        game_id=scope.game_id,
        board=scope.board,
        period=scope.period,
        period_start=scope.period_start,
    )
    return dict(found.values_list("player_id", "version"))
