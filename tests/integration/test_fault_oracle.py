"""The oracle of the fault rig: it finds nothing in honest tables, and whatever is done to them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
import redis
from django.db import connection

from apps.contract.queues import Consumer
from apps.leaderboards.declaration import declare
from apps.leaderboards.periods import Period
from apps.leaderboards.rules import Operator
from apps.ledger.models import ConsumerPosition
from apps.ledger.services import apply_chunk
from tests.builders import TOPIC_ID, board, chunk, parsed
from tests.faults.client import Told
from tests.faults.oracle import Excuse, Mark, Verdict, first_hole, judge, mark
from tests.faults.stream import Kind, Stream, stream
from tests.totals import CONSUMERS

pytestmark = pytest.mark.django_db
EVENTS = 1_500
CHUNK = 100
NOTHING = Excuse()


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """A stream that every consumer has applied, and what its client was told."""

    stream: Stream
    told: bytearray
    before: Mark

    def judged(self, excuse: Excuse = NOTHING) -> Verdict:
        with connection.cursor() as cursor:
            return judge(cursor, self.stream, bytes(self.told), self.before, excuse)

    def some(self, event_type: str = "player_score") -> str:
        """The id of an event that counts everywhere."""
        return next(
            event.event_id
            for event in self.stream.events
            if event.kind is Kind.GOOD and event.event_type == event_type
            if event.game_id == self.stream.board_game
        )


@pytest.fixture
def applied(cache: redis.Redis) -> Applied:
    made = stream("chess", EVENTS, Random(7))
    declare(
        board(
            "best",
            game_id=made.board_game,
            operator=Operator.BEST,
            periods=(Period.ALLTIME, Period.DAILY),
            timezone="Europe/Vienna",
        )
    )
    for consumer in Consumer:
        ConsumerPosition(consumer=consumer, topic_id=TOPIC_ID, partition=0, next_offset=0).save()
    with connection.cursor() as cursor:
        before = mark(cursor, str(TOPIC_ID))
    sent = [made.events[index] for index in made.order]
    confirmed = [event for event in sent if event.kind is not Kind.REFUSED]
    records = [parsed(offset, event.body) for offset, event in enumerate(confirmed)]
    for consumer in Consumer:
        for first in range(0, len(records), CHUNK):
            apply_chunk(CONSUMERS[consumer], chunk(records[first : first + CHUNK]))
    ConsumerPosition.objects.update(next_offset=len(records))
    told = bytearray(
        Told.FAILED if event.kind is Kind.REFUSED else Told.OK for event in made.events
    )
    return Applied(stream=made, told=told, before=before)


def sql(statement: str, *parameters: Any) -> None:
    """Do what no code of ours does; it has to hit something."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0, statement


def test_honest_tables_pass(applied: Applied) -> None:
    assert applied.judged() == Verdict()


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("events", "neither in events nor dead"),
        ("stats_applied_events", "neither in stats_applied_events nor dead"),
        ("leaderboards_applied_events", "neither in leaderboards_applied_events nor dead"),
    ],
)
def test_a_row_that_is_gone_is_lost(applied: Applied, table: str, found: str) -> None:
    sql(f"DELETE FROM {table} WHERE event_id = %s", applied.some())
    verdict = applied.judged()
    assert verdict.lost >= 1
    assert found in "\n".join(verdict.problems)


def test_a_lost_event_that_was_never_confirmed_is_no_loss(applied: Applied) -> None:
    gone = applied.some("session_started")
    index = next(n for n, event in enumerate(applied.stream.events) if event.event_id == gone)
    applied.told[index] = Told.UNKNOWN
    assert applied.judged().problems == []
    sql("DELETE FROM events WHERE event_id = %s", gone)
    assert "the statistics' ledger and the log differ" in "\n".join(applied.judged().problems)


def test_a_statistic_counted_twice_is_doubled(applied: Applied) -> None:
    sql(
        "UPDATE player_statistics SET total_events = total_events + 1"
        " WHERE player_id = 'ada' AND game_id = %s",
        applied.stream.games[1],
    )
    verdict = applied.judged()
    assert (verdict.lost, verdict.doubled) == (0, 1)
    assert "statistics above the log" in verdict.problems[0]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("player_statistics SET sessions = sessions + 1", "statistics beside the log"),
        ("player_statistics_daily SET sessions = sessions - 1", "statistics beside the log"),
        ("player_statistics_daily SET day = day + 30", "statistics below the log"),
        ("game_statistics_daily SET total_events = total_events + 1", "totals above the log"),
        ("game_statistics_daily SET active_players = 0", "games' players beside the log"),
        ("game_statistics SET total_events = 0", "games' totals below the log"),
    ],
)
def test_a_wrong_day_session_or_total_of_a_game_is_found(
    applied: Applied, change: str, found: str
) -> None:
    sql(f"UPDATE {change} WHERE game_id = %s", applied.stream.games[1])
    assert found in "\n".join(applied.judged().problems)


def test_a_score_counted_twice_is_doubled_and_one_too_low_is_lost(applied: Applied) -> None:
    entry = "WHERE board = %s AND period = 'alltime' AND player_id = 'ada' AND game_id = %s"
    game = applied.stream.board_game
    sql(f"UPDATE leaderboards SET score = score + 10 {entry}", "default", game)
    assert (applied.judged().lost, applied.judged().doubled) == (0, 1)
    sql(f"UPDATE leaderboards SET score = score - 20 {entry}", "default", game)
    assert (applied.judged().lost, applied.judged().doubled) == (1, 0)
    sql(f"UPDATE leaderboards SET score = score + 10 {entry}", "default", game)
    sql(f"DELETE FROM leaderboards {entry}", "best", game)
    assert (applied.judged().lost, applied.judged().doubled) == (1, 0)


def test_a_tie_decided_wrongly_is_found(applied: Applied) -> None:
    sql(
        "UPDATE leaderboards SET achieved_at = achieved_at - interval '1 minute'"
        " WHERE board = 'best' AND period = 'alltime' AND player_id = 'bo'"
    )
    assert "board times beside the log" in applied.judged().problems[0]


def test_an_event_that_was_rejected_and_is_there_all_the_same_is_found(applied: Applied) -> None:
    index = next(n for n, e in enumerate(applied.stream.events) if e.kind is Kind.GOOD)
    applied.told[index] = Told.NOTHING
    verdict = applied.judged()
    assert verdict.doubled >= 1
    assert "never sent or rejected" in verdict.problems[0]


def test_an_altered_event_is_found(applied: Applied) -> None:
    gone = applied.some("session_started")
    sql("UPDATE events SET data = data || '{\"score\": 11}' WHERE event_id = %s", gone)
    assert "the log differs from what was sent" in applied.judged().problems[0]


def test_a_dead_letter_is_found_unless_it_is_excused_or_its_event_was_applied_too(
    applied: Applied,
) -> None:
    letter = applied.some("session_started")
    sql(
        "INSERT INTO dlq_events (original_event, error_message, consumer_service, cause, event_id,"
        '  topic, topic_id, partition, "offset", headers, raw, exception, player_id, game_id,'
        "  event_type) VALUES ('{}', '', 'logging', 'crash', %s, '', gen_random_uuid(), 0, 0,"
        "  '[]', '', '', '', '', '')",
        letter,
    )
    found = "\n".join(applied.judged().problems)
    assert "both in events and dead" in found
    assert "dead letters that nothing explains" in found
    sql("DELETE FROM events WHERE event_id = %s", letter)
    excuse = Excuse(letters=frozenset({("logging", "crash")}))
    assert applied.judged(excuse) == Verdict()
    assert "dead letters that nothing explains" in applied.judged().problems[0]


def test_an_unscored_event_without_its_dead_letter_is_lost(applied: Applied) -> None:
    sql("DELETE FROM dlq_events WHERE consumer_service = 'leaderboards'")
    verdict = applied.judged()
    assert verdict.lost > 0
    assert "no dead letter of the boards" in "\n".join(verdict.problems)


def test_a_chunk_that_is_gone_and_one_that_counts_too_much_are_found(applied: Applied) -> None:
    sql("UPDATE applied_chunks SET duplicates = duplicates + 1 WHERE first_offset = 0")
    sql("DELETE FROM applied_chunks WHERE first_offset = 300 AND consumer = 'stats'")
    found = "\n".join(applied.judged().problems)
    assert "chunks that count more than their offsets" in found
    assert "offsets that no chunk has" in found


@pytest.mark.parametrize(
    ("ranges", "hole"),
    [
        ([(0, 5), (5, 9)], None),
        ([(0, 5), (3, 9)], None),
        ([(0, 5), (6, 9)], 5),
        ([(0, 5)], 5),
        ([], 0),
    ],
)
def test_ranges_may_overlap_and_must_leave_no_hole(
    ranges: list[tuple[int, int]], hole: int | None
) -> None:
    assert first_hole(ranges, 0, 9) == hole
