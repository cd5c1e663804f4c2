"""The single scores of a game's applied events, as a temporary table; nothing is merged here."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.database.statements import pages
from apps.leaderboards import decisions
from apps.leaderboards.decisions import Exclusions
from apps.leaderboards.folding import scores
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Definition, Order
from apps.ledger import given
from apps.ledger.failures import EventRefused

_TABLE: Final = """
DROP TABLE IF EXISTS reconcile_scores;
CREATE TEMP TABLE reconcile_scores (
  board text, operator text, descending boolean, player_id text COLLATE "C", score numeric,
  at timestamptz, event_id uuid,
  alltime timestamptz, daily timestamptz, weekly timestamptz, monthly timestamptz,
  season timestamptz
) ON COMMIT DROP
"""
_COPY: Final = "COPY reconcile_scores FROM STDIN"
_APPLIED: Final = f"""
SELECT player_id, event_type, at, data::text, event_id::text
  FROM ({given.applied(Consumer.LEADERBOARDS)}) AS given
"""
_PAGE: Final = 5_000
_ESCAPES: Final = str.maketrans({"\\": "\\\\"})

Applied = tuple[str, str, datetime, str, str]  # player_id, event_type, at, JSON text, event_id


def collect(definitions: Sequence[Definition], game_id: str, players: list[str] | None) -> None:
    """Fill the table, inside the caller's transaction; without what decisions keep off boards."""
    excluded = decisions.exclusions(game_id, players)
    with connection.cursor() as cursor:
        cursor.execute(_TABLE)
    types = sorted({name for definition in definitions for name in definition.scoring})
    values = {"game_id": game_id, "players": players, "types": types}
    for page in pages("gamemetrics_reconcile", _APPLIED, values, _PAGE):
        lines = "".join(line for event in page for line in _lines(definitions, event, excluded))
        with connection.cursor() as cursor:
            cursor.copy_expert(_COPY, io.StringIO(lines))


def _lines(
    definitions: Sequence[Definition], event: Applied, excluded: Exclusions
) -> Iterator[str]:
    player_id, event_type, at, data, event_id = event
    for definition in definitions:
        if not excluded.counts(definition.name, player_id, event_id):
            continue
        try:
            found = scores([definition], event_type, player_id, at, data, event_id)
        except EventRefused:
            # Applied before this board was declared, and no score on it.
            continue
        for scored in found:
            starts = [
                definition.start_of(period, at).isoformat()
                if period in definition.periods
                else r"\N"
                for period in Period
            ]
            fields = (
                definition.name,
                definition.operator.value,
                "t" if definition.order is Order.DESC else "f",
                player_id.translate(_ESCAPES),
                str(scored.score),
                at.isoformat(),
                event_id,
                *starts,
            )
            yield "\t".join(fields) + "\n"
