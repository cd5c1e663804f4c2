"""Some players' entries of a board, folded anew from the log and the decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from typing import Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.database.statements import pages
from apps.leaderboards import decisions, rank_acts, selectors
from apps.leaderboards.attempts import Past, key_of, rewrite
from apps.leaderboards.folding import Deltas, scores
from apps.leaderboards.log import LoggedEvent
from apps.leaderboards.models import Entry
from apps.leaderboards.periods import Period
from apps.leaderboards.rank_acts import Changes
from apps.leaderboards.rank_index import BoardPeriod, places_of
from apps.leaderboards.rules import Definition
from apps.leaderboards.services import merge
from apps.ledger import given
from apps.ledger.failures import EventRefused

_PAGE: Final = 5_000
_APPLIED: Final = f"""
SELECT event_id::text, event_type, player_id, at, data::text
  FROM ({given.applied(Consumer.LEADERBOARDS)}) AS given
"""
_ONE: Final = f"{_APPLIED} WHERE event_id = ANY(%(ids)s::uuid[])"
_DELETE: Final = """
WITH gone AS (
  DELETE FROM leaderboards WHERE game_id = %(game_id)s AND board = %(board)s
     AND player_id = ANY(%(players)s)
  RETURNING game_id, board, period, period_start, player_id, version
)
INSERT INTO board_tombstones AS t (game_id, board, period, period_start, player_id, version)
SELECT * FROM gone ORDER BY period, period_start, player_id
    ON CONFLICT (game_id, board, period, period_start, player_id)
    DO UPDATE SET version = greatest(t.version, EXCLUDED.version)
RETURNING period, period_start, player_id, version
"""
# What comes again is newer than what is gone, whatever the clock says.
_NEWER: Final = """
UPDATE leaderboards AS l SET version = t.version + 1 FROM board_tombstones AS t
 WHERE l.game_id = %(game_id)s AND l.board = %(board)s AND l.player_id = ANY(%(players)s)
   AND (t.game_id, t.board, t.period, t.period_start, t.player_id)
     = (l.game_id, l.board, l.period, l.period_start, l.player_id)
   AND l.version <= t.version
"""


def recompute(definition: Definition, players: Sequence[str]) -> Changes:
    """Write the entries that these players should have on the board; what changed, by period.

    In a transaction that holds scores still, while the log covers what the boards have applied.
    """
    named: dict[str, str | list[str]] = {
        "game_id": definition.game_id,
        "board": definition.name,
        "players": list(players),
    }
    changes = rank_acts.new_changes()
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, named)
        for period, start, player_id, version in cursor.fetchall():
            scope = BoardPeriod(
                game_id=definition.game_id,
                board=definition.name,
                period=Period(period),
                period_start=start.astimezone(UTC),
                generation=definition.generation,
            )
            changes[scope].gone[player_id] = version
    merge(_folded(definition, players))
    with connection.cursor() as cursor:
        cursor.execute(_NEWER, named)
    rows = Entry.objects.filter(
        game_id=definition.game_id, board=definition.name, player_id__in=players
    )
    generations = {(definition.game_id, definition.name): definition.generation}
    for place in places_of(rows.values_list(*selectors.PLACE), generations):
        changes[place.scope].places.append(place)
    return changes


def _folded(definition: Definition, players: Sequence[str]) -> Deltas:
    excluded = decisions.exclusions(definition.game_id, players)
    hidden = {one for one in players if excluded.rulings.hides(definition.name, one)}
    remember = definition.bounds is not None and definition.bounds.remember
    # What is remembered of a hidden player goes on, so that to hide and undo is nothing.
    wanted = players if remember else [one for one in players if one not in hidden]
    pasts: defaultdict[tuple[str, str, str], Past] = defaultdict(Past)
    deltas = Deltas()
    for event in _applied(definition, wanted) if wanted else ():
        if (definition.name, event.event_id) in excluded.uncounted:
            continue
        try:
            found = scores([definition], *event[1:], event.event_id)
        except EventRefused:
            continue  # applied before this board was declared, and no score on it
        for scored in found:
            if remember:
                pasts[key_of(scored)].count(scored, event.event_id)
            if scored.player_id not in hidden:
                deltas.add(scored)
    if remember:
        rewrite(definition, players, pasts)
    return deltas


def _applied(definition: Definition, players: Sequence[str]) -> Iterator[LoggedEvent]:
    """What the consumer has applied of these players, as it was given it."""
    named = {"game_id": definition.game_id, "players": list(players)}
    values = {**named, "types": sorted(definition.scoring)}
    for rows in pages("gamemetrics_recompute", _APPLIED, values, _PAGE):
        yield from (LoggedEvent(*row) for row in rows)


def applied_events(game_id: str, event_ids: Iterable[str]) -> list[LoggedEvent]:
    """Those of these events that the consumer has applied."""
    with connection.cursor() as cursor:
        named = {"game_id": game_id, "ids": sorted(event_ids), "players": None, "types": None}
        cursor.execute(_ONE, named)
        return [LoggedEvent(*row) for row in cursor.fetchall()]
