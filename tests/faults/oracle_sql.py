"""The oracle's SQL: what should be, from the client's record and the log, against what is."""

from __future__ import annotations

from typing import Final

# Which table says that a consumer applied an event, and which events it has to have.
LEDGERS: Final = {
    "logging": "events",
    "stats": "stats_applied_events",
    "leaderboards": "leaderboards_applied_events",
}
COUNTED: Final = {
    "logging": "true",
    "stats": "true",
    "leaderboards": "t.event_type <> 'session_started'",
}

TOLD: Final = """
DROP TABLE IF EXISTS told, base, scored, board;
CREATE TEMP TABLE told (
  event_id uuid PRIMARY KEY, event_type text, player_id text COLLATE "C", game_id text COLLATE "C",
  at timestamptz, data jsonb, kind int, told int, excused boolean, session_id text)
"""
# The log, and what logging alone could not append: the other consumers count that all the same.
BASE: Final = """
CREATE TEMP TABLE base AS
SELECT event_id, event_type, player_id, game_id, event_timestamp AS at, data, session_id
  FROM events WHERE game_id = ANY(%(games)s)
UNION ALL
SELECT t.event_id, t.event_type, t.player_id, t.game_id, t.at, t.data, t.session_id
  FROM told AS t JOIN dlq_events AS d ON d.event_id = t.event_id
 WHERE d.consumer_service = 'logging' AND d.state <> 'applied'
"""
SCORED: Final = """
CREATE TEMP TABLE scored AS
WITH found AS (
  SELECT b.*, CASE event_type WHEN 'player_score' THEN data->'score'
                              WHEN 'quest_completed' THEN data->'reward_points'
                              WHEN 'achievement_unlocked' THEN data->'points'
                              WHEN 'boss_defeated' THEN data->'difficulty_score' END AS given,
         CASE event_type WHEN 'quest_completed' THEN 10 WHEN 'achievement_unlocked' THEN 5
                         WHEN 'boss_defeated' THEN 50 END::numeric AS absent
    FROM base AS b
   WHERE event_type IN ('player_score', 'quest_completed', 'achievement_unlocked',
                        'boss_defeated')
     AND NOT EXISTS (SELECT 1 FROM dlq_events AS d WHERE d.event_id = b.event_id
                        AND d.consumer_service = 'leaderboards' AND d.state <> 'applied'))
SELECT event_id, event_type, player_id, game_id, at,
       CASE WHEN jsonb_typeof(given) = 'number' THEN given::text::numeric ELSE absent END AS score
  FROM found
"""
# A score of zero never sets the time of a sum that some other score has moved.
BOARDS: Final = """
CREATE TEMP TABLE board AS
WITH spread AS (
  SELECT s.*, p.period, p.start FROM scored AS s,
         LATERAL (VALUES ('alltime', timestamptz '1970-01-01 00:00+00'),
                         ('daily', date_trunc('day', at, 'UTC')),
                         ('weekly', date_trunc('week', at, 'UTC')),
                         ('monthly', date_trunc('month', at, 'UTC'))) AS p(period, start)
   WHERE score IS NOT NULL)
SELECT game_id, 'default' AS board, period, start, player_id, sum(score) AS score,
       coalesce(max(at) FILTER (WHERE score <> 0), min(at)) AS achieved_at
  FROM spread GROUP BY game_id, period, start, player_id
UNION ALL
SELECT * FROM (
  SELECT DISTINCT ON (period, start, player_id)
         game_id, 'best', period, start, player_id, score, at FROM (
        SELECT s.*, p.period, p.start FROM scored AS s,
               LATERAL (VALUES ('alltime', timestamptz '1970-01-01 00:00+00'),
                               ('daily', date_trunc('day', at, 'Europe/Vienna')))
                    AS p(period, start)
         WHERE game_id = %(board_game)s AND event_type = 'player_score'
           AND score IS NOT NULL) AS spread
   ORDER BY period, start, player_id, score DESC, at) AS best
"""
LOST: Final = """
SELECT t.event_id, t.event_type, t.game_id FROM told AS t
 WHERE t.told = %(ok)s AND t.kind <> %(refused)s AND NOT t.excused AND {types}
   AND NOT EXISTS (SELECT 1 FROM {ledger} AS l WHERE l.event_id = t.event_id)
   AND NOT EXISTS (SELECT 1 FROM dlq_events AS d WHERE d.event_id = t.event_id
                      AND d.consumer_service = %(consumer)s)
"""
UNSCORED_NOT_DEAD: Final = """
SELECT t.event_id, t.game_id FROM told AS t
 WHERE t.told = %(ok)s AND t.kind = %(unscored)s AND NOT t.excused
   AND NOT EXISTS (SELECT 1 FROM dlq_events AS d WHERE d.event_id = t.event_id
                      AND d.consumer_service = 'leaderboards')
"""
BOTH: Final = """
SELECT t.event_id, t.game_id FROM told AS t JOIN {ledger} AS l USING (event_id)
  JOIN dlq_events AS d ON d.event_id = t.event_id
 WHERE d.consumer_service = %(consumer)s AND d.state <> 'applied'
"""
LEDGER_DIFFERS: Final = """
SELECT coalesce(e.event_id, s.event_id), e.event_id IS NULL AS only_in_ledger
  FROM (SELECT event_id FROM base AS b
         WHERE NOT EXISTS (SELECT 1 FROM dlq_events AS d WHERE d.event_id = b.event_id
                              AND d.consumer_service = 'stats' AND d.state <> 'applied')) AS e
  FULL JOIN (SELECT s.event_id FROM stats_applied_events AS s JOIN told USING (event_id)) AS s
    ON s.event_id = e.event_id
 WHERE e.event_id IS NULL OR s.event_id IS NULL
"""
INVENTED: Final = """
SELECT b.event_id, b.game_id, t.told FROM base AS b LEFT JOIN told AS t USING (event_id)
 WHERE t.event_id IS NULL OR t.told = %(nothing)s OR t.kind = %(refused)s
UNION ALL
SELECT t.event_id, t.game_id, t.told FROM told AS t JOIN stats_applied_events USING (event_id)
 WHERE t.told = %(nothing)s OR t.kind = %(refused)s
UNION ALL
SELECT t.event_id, t.game_id, t.told
  FROM told AS t JOIN leaderboards_applied_events USING (event_id)
 WHERE t.told = %(nothing)s OR t.kind = %(refused)s
"""
ALTERED: Final = """
SELECT b.event_id, b.game_id FROM base AS b JOIN told AS t USING (event_id)
 WHERE (b.event_type, b.player_id, b.game_id, b.at, b.data, b.session_id)
       IS DISTINCT FROM (t.event_type, t.player_id, t.game_id, t.at, t.data, t.session_id)
"""
# A row for all time (day NULL) and one for each day of UTC; sessions are different ids.
STATISTICS_DIFFER: Final = """
WITH counted AS (
  SELECT b.*, NULL::date AS day FROM base AS b
   WHERE NOT EXISTS (SELECT 1 FROM dlq_events AS d WHERE d.event_id = b.event_id
                        AND d.consumer_service = 'stats' AND d.state <> 'applied')
), spread AS (
  SELECT * FROM counted UNION ALL
  SELECT event_id, event_type, player_id, game_id, at, data, session_id,
         date_trunc('day', at, 'UTC') AT TIME ZONE 'UTC' FROM counted
), by_type AS (
  SELECT player_id, game_id, day, event_type, count(*) AS n, min(at) AS first, max(at) AS last
    FROM spread GROUP BY 1, 2, 3, 4
), by_session AS (
  SELECT player_id, game_id, day, count(DISTINCT session_id) AS sessions
    FROM spread GROUP BY 1, 2, 3
), expected AS (
  SELECT t.player_id, t.game_id, t.day, sum(n)::bigint AS n,
         jsonb_object_agg(event_type, n) AS breakdown, min(first) AS first, max(last) AS last,
         min(s.sessions) AS sessions
    FROM by_type AS t JOIN by_session AS s
      ON (s.player_id, s.game_id) = (t.player_id, t.game_id) AND s.day IS NOT DISTINCT FROM t.day
   GROUP BY 1, 2, 3
), found AS (
  SELECT player_id, game_id, NULL::date AS day, total_events, event_breakdown, first_event_at,
         last_event_at, sessions
    FROM player_statistics WHERE game_id = ANY(%(games)s)
  UNION ALL
  SELECT player_id, game_id, day, total_events, event_breakdown, first_event_at, last_event_at,
         sessions
    FROM player_statistics_daily WHERE game_id = ANY(%(games)s)
)
SELECT coalesce(f.player_id, e.player_id), coalesce(f.game_id, e.game_id),
       coalesce(f.total_events, 0), coalesce(e.n, 0), coalesce(f.day, e.day),
       f.sessions, e.sessions
  FROM found AS f FULL JOIN expected AS e
    ON (f.player_id, f.game_id, coalesce(f.day, 'infinity'))
     = (e.player_id, e.game_id, coalesce(e.day, 'infinity'))
 WHERE (f.total_events, f.event_breakdown, f.first_event_at, f.last_event_at, f.sessions)
       IS DISTINCT FROM (e.n, e.breakdown, e.first, e.last, e.sessions)
"""
GAMES_DIFFER: Final = """
WITH counted AS (
  SELECT b.game_id, b.player_id, (b.at AT TIME ZONE 'UTC')::date AS day FROM base AS b
   WHERE NOT EXISTS (SELECT 1 FROM dlq_events AS d WHERE d.event_id = b.event_id
                        AND d.consumer_service = 'stats' AND d.state <> 'applied')
), expected AS (
  SELECT game_id, day, count(*) AS n, count(DISTINCT player_id) AS players
    FROM counted GROUP BY game_id, GROUPING SETS ((day), ())
), found AS (
  SELECT game_id, day, sum(total_events) AS n, sum(active_players) AS players
    FROM game_statistics_daily WHERE game_id = ANY(%(games)s) GROUP BY 1, 2
  UNION ALL
  SELECT game_id, NULL, sum(total_events), sum(players)
    FROM game_statistics WHERE game_id = ANY(%(games)s) GROUP BY 1
)
SELECT coalesce(f.game_id, e.game_id), coalesce(f.day, e.day), coalesce(f.n, 0),
       coalesce(e.n, 0), f.players, e.players
  FROM found AS f FULL JOIN expected AS e
    ON (f.game_id, coalesce(f.day, 'infinity')) = (e.game_id, coalesce(e.day, 'infinity'))
 WHERE (f.n, f.players) IS DISTINCT FROM (e.n, e.players)
"""
BOARDS_DIFFER: Final = """
SELECT coalesce(l.game_id, e.game_id), coalesce(l.board, e.board), coalesce(l.period, e.period),
       coalesce(l.period_start, e.start), coalesce(l.player_id, e.player_id), l.score, e.score
  FROM (SELECT * FROM leaderboards WHERE game_id = ANY(%(games)s)) AS l
  FULL JOIN board AS e
    ON (l.game_id, l.board, l.period, l.period_start, l.player_id)
     = (e.game_id, e.board, e.period, e.start, e.player_id)
 WHERE (l.score, l.achieved_at) IS DISTINCT FROM (e.score, e.achieved_at)
"""
LETTERS: Final = """
SELECT d.consumer_service, d.cause, d.event_id, t.kind, d.error_message
  FROM dlq_events AS d LEFT JOIN told AS t ON t.event_id = d.event_id
 WHERE d.id > %(letter_id)s
"""
CHUNKS_INVALID: Final = """
SELECT consumer, partition, first_offset, next_offset, applied, duplicates, dead
  FROM applied_chunks
 WHERE topic_id = %(topic_id)s AND applied + duplicates + dead > next_offset - first_offset
"""
CHUNK_RANGES: Final = """
SELECT first_offset, next_offset FROM applied_chunks
 WHERE topic_id = %(topic_id)s AND consumer = %(consumer)s AND partition = %(partition)s
   AND next_offset > %(position)s
 ORDER BY first_offset
"""
POSITION: Final = """
SELECT coalesce(max(next_offset), 0) FROM consumer_positions
 WHERE topic_id = %(topic_id)s AND consumer = %(consumer)s AND partition = %(partition)s
"""
