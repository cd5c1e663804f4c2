"""What the shipped events add up to, and the order of the boards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from apps.demo import differences
from apps.demo.boards import Rank, ranks
from apps.demo.facts import as_known, facts_of
from apps.demo.lichess import Played, Recording, known, recording

NOON = datetime(2021, 10, 1, 12, tzinfo=UTC)


def finished(player_id: str, minute: int, **data: Any) -> Played:
    return Played(
        event_id=f"{player_id}-{minute}",
        event_type="game_finished",
        player_id=player_id,
        game_id="chess",
        timestamp=NOON + timedelta(minutes=minute),
        data=msgspec.Raw(msgspec.json.encode(data)),
    )


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def test_best_keeps_the_earliest_time_of_the_highest_score() -> None:
    events = [
        finished("ada", 3, rating_after=1500, score=0),
        finished("ada", 1, rating_after=1500, score=0),
        finished("ada", 2, rating_after=1400, score=0),
    ]
    assert ranks(events)["chess", "rating"] == [Rank("ada", Decimal(1500), at(1))]


def test_a_sum_is_reached_with_the_last_score_that_moved_it() -> None:
    events = [
        finished("ada", 1, rating_after=None, score=1),
        finished("ada", 2, rating_after=None, score=0.5),
        finished("ada", 3, rating_after=None, score=0),
    ]
    assert ranks(events)["chess", "points"] == [Rank("ada", Decimal("1.5"), at(2))]


def test_a_sum_that_nothing_moved_is_reached_at_the_first_event() -> None:
    events = [
        finished("ada", 2, rating_after=None, score=0),
        finished("ada", 1, rating_after=None, score=0),
    ]
    assert ranks(events)["chess", "points"] == [Rank("ada", Decimal(0), at(1))]


def test_ties_go_to_who_was_first_and_then_by_code_point() -> None:
    events = [
        finished("bo", 1, rating_after=1500, score=1),
        finished("ada", 2, rating_after=1500, score=1),
        finished("Zoe", 1, rating_after=1500, score=1),
    ]
    order = [rank.player_id for rank in ranks(events)["chess", "rating"]]
    assert order == ["Zoe", "bo", "ada"]


def test_a_null_score_ranks_nobody() -> None:
    events = [finished("ada", 1, rating_after=None, score=1)]
    assert ranks(events)["chess", "rating"] == []


def test_a_repeated_event_counts_once() -> None:
    event = finished("ada", 1, rating_after=1500, score=1)
    facts = facts_of(Recording(lines=[b"", b""], events=[event, event]))
    assert facts.events == 1
    assert facts.statistics["ada", "chess"].total == 1
    assert facts.ranks["chess", "points"][0].score == 1


def test_the_shipped_file_adds_up_to_its_known_totals() -> None:
    facts = facts_of(recording())
    assert (facts.events, facts.players) == (70_288, 1_991)
    assert differences.of_mappings("shipped file", known(), as_known(facts, known())) == []


def test_lanes_carry_every_line_once_and_a_player_in_one_lane() -> None:
    played = recording()
    lanes = [b"\n".join(batch.body for batch in lane).splitlines() for lane in played.lanes(3, 500)]
    assert sorted(line for lane in lanes for line in lane) == sorted(played.lines)
    decode = msgspec.json.Decoder(Played).decode
    players = [{decode(line).player_id for line in lane} for lane in lanes]
    assert not players[0] & players[1]
    assert not players[1] & players[2]
    position = {line: number for number, line in enumerate(played.lines)}
    assert all([position[line] for line in lane] == sorted(map(position.__getitem__, lane))
               for lane in lanes)  # fmt: skip
