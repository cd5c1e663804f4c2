"""Reading boards: definitions, and entries as PostgreSQL has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Final

import msgspec
from django.db import connection

from apps.database.prepared import Prepared
from apps.leaderboards.bounds import bounds_of_text
from apps.leaderboards.build_models import BoardBuild
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
# Each with the generation of that moment: a row of one has no place in the order of another.
_PLACES: Final = Prepared(
    "read_places",
    {"touched": "json"},
    f"""
SELECT {", ".join(f"l.{column}" for column in PLACE)}, coalesce(b.generation, 0)
  FROM json_to_recordset(%(touched)s) AS t(
       game_id text, period_start timestamptz, player_id text)
  JOIN leaderboards AS l USING (player_id, game_id, period_start)
  LEFT JOIN boards AS b ON b.game_id = l.game_id AND b.name = l.board
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


def awaited(game_ids: Iterable[str]) -> dict[str, set[str]]:
    """The event types of boards that are being built, by game."""
    found: dict[str, set[str]] = defaultdict(set)
    building = BoardBuild.objects.filter(state=BoardBuild.BUILDING, game_id__in=list(game_ids))
    for build in building.exclude(definition=""):
        found[str(build.game_id)].update(msgspec.json.decode(build.definition)["event_types"])
    return found


def definition_of(game_id: str, name: str) -> Definition | None:
    """One board of a game; None where it is not declared."""
    if not (name.isascii() and name.isprintable()):
        return None  # the name of no board; PostgreSQL would not take every such text
    # Each read of a board asks this: the ORM's making of the query took a third of a read's CPU,
    # and PostgreSQL's planning of it a twentieth.
    attributes, statement = _by_name()
    for row in statement.fetch({"game_id": game_id, "name": name}):
        return definition(Board.from_db(connection.alias, attributes, row))
    return default_definition(game_id) if name == DEFAULT_BOARD else None


@cache
def _by_name() -> tuple[list[str], Prepared]:
    """The attributes of a board, and the statement that reads them of the one with this name."""
    fields = Board._meta.concrete_fields
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    query = f"SELECT {columns} FROM boards WHERE game_id = %(game_id)s AND name = %(name)s"
    statement = Prepared("board_by_name", {"game_id": "text", "name": "text"}, query)
    return [field.attname for field in fields], statement


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
        generation=board.generation,
    )


def generations(game_ids: Iterable[str]) -> dict[tuple[str, str], int]:
    """Of the boards of these games, by game and board; those without one are in the first, 0."""
    found = Board.objects.filter(game_id__in=list(game_ids), generation__gt=0)
    return {
        (game_id, name): number
        for game_id, name, number in found.values_list("game_id", "name", "generation")
    }


def is_current(scope: BoardPeriod) -> bool:
    """Whether the board's entries are still of this generation."""
    found = generations([scope.game_id])
    return found.get((scope.game_id, scope.board), 0) == scope.generation


def places(touched: Iterable[tuple[str, datetime, str]]) -> list[Place]:
    """Committed places of (game_id, period_start, player_id), on whatever board."""
    keys = [
        {"game_id": game_id, "period_start": period_start, "player_id": player_id}
        for game_id, period_start, player_id in set(touched)
    ]
    found = _PLACES.fetch({"touched": as_json(keys)}) if keys else []
    return list(places_of(found, {(row[0], row[1]): row[-1] for row in found}))


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
