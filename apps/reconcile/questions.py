"""Questions to log, ledgers and dead letters: which ids are not where they must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from apps.contract.queues import Consumer
from apps.leaderboards.rules import DEFAULT_BOARD, default_definition
from apps.ledger.given import LEDGERS
from apps.operations.steps import Display, step
from apps.reconcile import selectors
from apps.reconcile.findings import Scope

# Ids a page of the walk along an index, and suspects that are looked at again at once.
_PAGE: Final = 50_000
AT_ONCE: Final = 500
_NIL: Final = "00000000-0000-0000-0000-000000000000"

# A board's event types; the default board's where the game has not declared one of that name.
_COUNTED_BY: Final = {
    Consumer.STATS: "true",
    Consumer.LEADERBOARDS: """(
      EXISTS (SELECT 1 FROM boards AS b
               WHERE b.game_id = e.game_id AND e.event_type = ANY(b.event_types))
      OR e.event_type = ANY(%(default_types)s) AND NOT EXISTS (
             SELECT 1 FROM boards AS b
              WHERE b.game_id = e.game_id AND b.name = %(default_board)s))""",
}
# An edit may have made the event one that the consumer does not claim.
_NOT_APPLIED: Final = """
  {counted} AND NOT EXISTS (SELECT 1 FROM {ledger} AS l WHERE l.event_id = e.event_id)
  AND NOT EXISTS (SELECT 1 FROM dlq_events AS d WHERE d.event_id = e.event_id
                     AND d.consumer_service = %(consumer)s
                     AND (d.state <> 'applied' OR NOT d.duplicate AND e.event_type <>
                          convert_from(d.edited, 'UTF8')::jsonb->>'event_type'))
"""
_IN_SCOPE: Final = """
  (%(game_id)s IS NULL OR e.game_id = %(game_id)s)
  AND (%(player_id)s IS NULL OR e.player_id = %(player_id)s)
  AND (%(since)s::timestamptz IS NULL OR e.ingested_at >= %(since)s::timestamptz)
"""
# Known: in the log, or in the dead letters of logging, or applied from a dead letter of its own.
_UNKNOWN: Final = """
  NOT EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = l.event_id)
  AND NOT EXISTS (SELECT 1 FROM dlq_events AS d WHERE d.event_id = l.event_id
                     AND (d.consumer_service = 'logging' AND d.state <> 'applied'
                          OR d.consumer_service = %(consumer)s
                             AND (d.state = 'applied' OR d.committed_at IS NOT NULL)))
"""
# A page of ids in the order of their index; only the doubtful ones are kept.
_NOTE: Final = """
WITH page AS (
  SELECT {alias}.* FROM {source} AS {alias} WHERE {alias}.event_id > %(after)s::uuid
   ORDER BY {alias}.event_id LIMIT %(size)s
), noted AS (
  INSERT INTO reconcile_suspects (event_id)
  SELECT {alias}.event_id FROM page AS {alias} WHERE {condition}
)
SELECT event_id::text, count(*) OVER () FROM page ORDER BY event_id DESC LIMIT 1
"""
_SUSPECTS: Final = """
CREATE TEMP TABLE IF NOT EXISTS reconcile_suspects (event_id uuid); TRUNCATE reconcile_suspects
"""
# What logging could not apply concerns the others all the same.
_LETTERS_OF_LOGGING: Final = """(
  SELECT d.event_id, d.event_type, d.player_id, d.game_id, d.created_at AS ingested_at
    FROM dlq_events AS d
   WHERE d.consumer_service = 'logging' AND d.state <> 'applied' AND d.event_id IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM events AS kept WHERE kept.event_id = d.event_id))
"""
_STILL_NOT_APPLIED: Final = """
SELECT e.event_id::text FROM {source} AS e
 WHERE e.event_id = ANY(%(ids)s::uuid[]) AND {condition} ORDER BY 1
"""
_STILL_UNKNOWN: Final = """
SELECT l.event_id::text FROM {ledger} AS l
 WHERE l.event_id = ANY(%(ids)s::uuid[]) AND {condition} ORDER BY 1
"""
# A letter that is committed and still replaying waits for Redis alone.
_CONTRADICTING: Final = """
SELECT d.event_id::text FROM dlq_events AS d JOIN {ledger} AS l ON l.event_id = d.event_id
 WHERE d.consumer_service = %(consumer)s AND d.state IN ('open', 'replaying')
   AND d.committed_at IS NULL
   AND (%(game_id)s IS NULL OR d.game_id = %(game_id)s)
   AND (%(player_id)s IS NULL OR d.player_id = %(player_id)s)
   AND (%(ids)s::uuid[] IS NULL OR d.event_id = ANY(%(ids)s::uuid[]))
 ORDER BY d.event_id
"""
_READ: Final = """
SELECT event_id::text FROM reconcile_suspects WHERE event_id > %s::uuid ORDER BY event_id LIMIT %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A walk along an index that notes doubtful ids, and the same asked again of some of them."""

    title: str
    consumer: Consumer
    source: str
    counted: str  # the table whose size tells about how many ids there are
    alias: str
    condition: str
    again: str
    scope: Scope

    def parameters(self, **more: Any) -> dict[str, Any]:
        since: datetime | None = self.scope.since
        return {
            "consumer": self.consumer.value,
            "game_id": self.scope.game_id,
            "player_id": self.scope.player_id,
            "since": since,
            "default_types": sorted(default_definition("").scoring),
            "default_board": DEFAULT_BOARD,
            **more,
        }


def not_applied(consumer: Consumer, scope: Scope) -> tuple[Question, Question]:
    """Events of the log, and of logging's dead letters, that `consumer` neither applied nor
    dead-lettered."""
    condition = _NOT_APPLIED.format(counted=_COUNTED_BY[consumer], ledger=LEDGERS[consumer])
    of_log, of_letters = (
        Question(
            title=f"{title} and what {consumer} applied",
            consumer=consumer,
            source=source,
            counted=counted,
            alias="e",
            condition=f"{_IN_SCOPE} AND {condition}",
            again=_STILL_NOT_APPLIED.format(source=source, condition=condition),
            scope=scope,
        )
        for title, source, counted in (
            ("the log", "events", "events"),
            ("logging's letters", _LETTERS_OF_LOGGING, "dlq_events"),
        )
    )
    return of_log, of_letters


def unknown(consumer: Consumer) -> Question:
    """Ids that the consumer applied and that neither log nor dead letters know."""
    return Question(
        title=f"what {consumer} applied and the log",
        consumer=consumer,
        source=LEDGERS[consumer],
        counted=LEDGERS[consumer],
        alias="l",
        condition=_UNKNOWN,
        again=_STILL_UNKNOWN.format(ledger=LEDGERS[consumer], condition=_UNKNOWN),
        scope=Scope(),
    )


def note(question: Question, display: Display) -> int:
    """Walk along the ids, keeping those in doubt in a temporary table; how many."""
    query = _NOTE.format(source=question.source, alias=question.alias, condition=question.condition)
    after = _NIL
    with connection.cursor() as cursor:
        cursor.execute(_SUSPECTS)
        with step(display, question.title, selectors.about(question.counted)):
            while True:
                cursor.execute(query, question.parameters(after=after, size=_PAGE))
                row = cursor.fetchone()
                if row is None:
                    break
                after = row[0]
                display.advance(row[1])
        cursor.execute("SELECT count(*) FROM reconcile_suspects")
        return int(cursor.fetchone()[0])


def suspects() -> Iterator[list[str]]:
    """The noted ids, some at once."""
    after = _NIL
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_READ, [after, AT_ONCE])
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return
        yield ids
        after = ids[-1]


def still_true(question: Question, ids: Sequence[str]) -> list[str]:
    """Which of the ids are still in doubt."""
    with connection.cursor() as cursor:
        cursor.execute(question.again, question.parameters(ids=list(ids)))
        return [row[0] for row in cursor.fetchall()]


def contradicting(consumer: Consumer, scope: Scope, ids: Sequence[str] | None) -> list[str]:
    """Ids that are applied and, at the same moment, open in the consumer's dead letters."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CONTRADICTING.format(ledger=LEDGERS[consumer]),
            {
                "consumer": consumer.value,
                "game_id": scope.game_id,
                "player_id": scope.player_id,
                "ids": None if ids is None else list(ids),
            },
        )
        return [row[0] for row in cursor.fetchall()]
