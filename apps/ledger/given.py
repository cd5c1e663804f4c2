"""What each consumer was given for an event id: the one place that knows.

The log's row; where logging could not apply the event, its dead letter's. A dead letter that was
edited and then applied stands before both for its own consumer; one of logging has put its edit
into the log, and the others were given the event as it came.
"""

from __future__ import annotations

from typing import Final

from apps.contract.queues import Consumer

# {ledger} has what is applied. An edit that is applied needs no claim to be known: its letter says
# so, and it may have made the event one that its consumer does not claim.
_EDITS: Final = """
SELECT DISTINCT ON (d.event_id) d.event_id,
       convert_from(CASE WHEN d.consumer_service = '{consumer}' THEN d.edited ELSE d.raw END,
                    'UTF8')::jsonb AS event
  FROM dlq_events AS d
 WHERE d.consumer_service IN ('{consumer}', 'logging') AND d.event_id IS NOT NULL
   AND d.committed_at IS NOT NULL AND d.edited IS NOT NULL AND NOT d.duplicate
   AND (d.consumer_service = '{consumer}'
        OR EXISTS (SELECT 1 FROM {ledger} AS l WHERE l.event_id = d.event_id))
 ORDER BY d.event_id, d.consumer_service = '{consumer}' DESC
"""
_FROM_LOG: Final = """
SELECT e.event_id, e.player_id, e.event_type, e.event_timestamp AS at, e.data, e.game_id,
       e.session_id
  FROM events AS e JOIN {ledger} AS l ON l.event_id = e.event_id
 WHERE {wanted} AND NOT EXISTS (SELECT 1 FROM edits AS x WHERE x.event_id = e.event_id)
"""
_FROM_LETTERS: Final = """
SELECT d.event_id, d.player_id, d.event_type, (d.original_event->>'timestamp')::timestamptz AS at,
       convert_from(d.raw, 'UTF8')::jsonb->'data' AS data, d.game_id,
       convert_from(d.raw, 'UTF8')::jsonb->>'session_id' AS session_id
  FROM dlq_events AS d JOIN {ledger} AS l ON l.event_id = d.event_id
 WHERE d.consumer_service = 'logging' AND jsonb_typeof(d.original_event) = 'object' AND {wanted}
   AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = d.event_id)
   AND NOT EXISTS (SELECT 1 FROM edits AS x WHERE x.event_id = d.event_id)
UNION ALL
SELECT x.event_id, x.player_id, x.event_type, (x.event->>'timestamp')::timestamptz,
       coalesce(x.event->'data', '{{}}'), x.game_id, x.event->>'session_id'
  FROM (SELECT event_id, event, event->>'player_id' AS player_id, event->>'game_id' AS game_id,
               event->>'event_type' AS event_type FROM edits) AS x
 WHERE {wanted_of_edits}
"""
_WANTED: Final = """
  {row}.game_id = %(game_id)s
   AND (%(players)s::text[] IS NULL OR {row}.player_id = ANY(%(players)s::text[]))
   AND (%(types)s::text[] IS NULL OR {row}.event_type = ANY(%(types)s::text[]))
"""
# The consumer's own ledger; for logging the log itself.
LEDGERS: Final = {
    Consumer.LOGGING: "events",
    Consumer.STATS: "stats_applied_events",
    Consumer.LEADERBOARDS: "leaderboards_applied_events",
}


def applied(consumer: Consumer) -> str:
    """SQL: event_id, player_id, event_type, at, data, game_id, session_id of what is applied.

    Parameters game_id, players and types; NULL means all players or types.
    """
    return f"""{edits(consumer)}
{in_log(consumer, _WANTED.format(row="e"))}
UNION ALL
{in_letters(consumer, _WANTED)}"""


def edits(consumer: Consumer) -> str:
    """SQL: the beginning of a query that reads `in_log` or `in_letters`."""
    body = _EDITS.format(consumer=consumer.value, ledger=LEDGERS[consumer])
    return f"WITH edits AS MATERIALIZED ({body})"


def in_log(consumer: Consumer, wanted: str) -> str:
    """SQL: what is applied and stands in the log; `wanted` is a condition on a row `e` of it."""
    return _FROM_LOG.format(ledger=LEDGERS[consumer], wanted=wanted)


def in_letters(consumer: Consumer, wanted: str) -> str:
    """SQL: what is applied and known from dead letters; `wanted` is a condition on `{row}`."""
    return _FROM_LETTERS.format(
        ledger=LEDGERS[consumer],
        wanted=wanted.format(row="d"),
        wanted_of_edits=wanted.format(row="x"),
    )
