"""What a reconcile run tells, and with which exit code."""

from __future__ import annotations

import io
import json
from argparse import ArgumentTypeError
from datetime import UTC, datetime

import msgspec
import pytest

from apps.reconcile.findings import Finding, Kind, Part, Scope
from apps.reconcile.management.commands.reconcile import moment, parts
from apps.reconcile.report import Report
from tests.builders import GAME, event_id, record


def finding(number: int, *, repaired: bool = False) -> Finding:
    return Finding(
        part=Part.KAFKA,
        kind=Kind.NOT_IN_LOG,
        consumer="logging",
        event_id=event_id(number),
        where=f"topic/0/{number}",
        expected="the event",
        found="nothing",
        remedy="apply it again from Kafka",
        repaired=repaired,
    )


def test_nothing_found_is_exit_0() -> None:
    assert Report(10).exit_code == 0


def test_what_is_repaired_is_exit_0_and_what_is_left_is_exit_1() -> None:
    report = Report(10)
    report.add(finding(1, repaired=True))
    assert report.exit_code == 0
    report.add(finding(2))
    assert report.exit_code == 1


def test_a_part_that_was_not_compared_is_exit_2_whatever_else_was_found() -> None:
    report = Report(10)
    report.add(finding(1))
    report.fail(Part.REDIS, "Redis is away")
    assert report.exit_code == 2


def test_only_as_many_are_kept_as_are_shown_and_all_are_written() -> None:
    lines = io.BytesIO()
    report = Report(2, lines)
    for number in range(5):
        report.add(finding(number))
    report.note("partition 0 begins at 7")
    report.close()
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len(report.shown) == 2
    assert [line["event_id"] for line in written[:-1]] == [event_id(n) for n in range(5)]
    assert written[-1] == {
        "summary": {"not_in_log": 5},
        "not_repaired": 5,
        "notes": ["partition 0 begins at 7"],
        "unavailable": {},
    }


def test_a_line_names_the_event_and_what_is_to_be_done() -> None:
    assert finding(3).line() == (
        f"not_in_log: logging: event {event_id(3)} at topic/0/3: expected the event,"
        " found nothing; remedy: apply it again from Kafka"
    )
    assert finding(3, repaired=True).line().endswith("; repaired")


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        (Scope(), True),
        (Scope(game_id=GAME, player_id="ada"), True),
        (Scope(game_id="go"), False),
        (Scope(player_id="bo"), False),
    ],
)
def test_a_scope_holds_its_own_players_events(scope: Scope, holds: bool) -> None:
    assert scope.holds(record(0, player_id="ada")) is holds


def test_a_finding_survives_json() -> None:
    line = msgspec.json.encode(finding(1))
    assert msgspec.json.decode(line, type=Finding) == finding(1)


@pytest.mark.parametrize("text", ["2026-11-20", "2026-11-20T00:00:00", "2026-11-20T01:00:00+01:00"])
def test_a_time_without_zone_is_utcs(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-40", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        moment(text)


def test_parts_are_named_by_comma_and_unknown_ones_refused() -> None:
    assert parts("kafka, log") == [Part.KAFKA, Part.LOG]
    with pytest.raises(ArgumentTypeError, match="choose of kafka, log"):
        parts("kafka,postgres")
