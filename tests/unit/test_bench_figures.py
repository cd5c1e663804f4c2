"""The benchmark's arithmetic: quantiles, the join by offset, shares of CPU, growth, targets."""

from __future__ import annotations

import os
import time
from array import array

import pytest

from tests.bench import cpu, targets
from tests.bench.catalogue import chosen, rows
from tests.bench.events import Source, due_of
from tests.bench.figures import Figures, Quantiles
from tests.bench.latency import Join
from tests.bench.observer import Seen
from tests.bench.rows.soak import grown
from tests.bench.sizes import FULL, QUICK

CONSUMERS = ("logging", "stats", "leaderboards")


def chunk(consumer: str, first: int, following: int, at: float, cached: float) -> Seen:
    return Seen(
        consumer=consumer,
        partition=0,
        first_offset=first,
        next_offset=following,
        committed_at=at,
        cached_at=cached,
    )


def test_quantiles_are_values_that_were_measured() -> None:
    found = Quantiles.of([number / 1000 for number in range(100, 0, -1)])
    assert (found.count, found.p50, found.p95, found.p99, found.max) == (100, 50, 95, 99, 100)
    assert Quantiles.of([0.002]) == Quantiles(count=1, p50=2, p95=2, p99=2, max=2)
    with pytest.raises(ValueError, match="no values"):
        Quantiles.of([])


def test_each_event_waits_for_the_last_of_its_consumers() -> None:
    # Offsets 10 to 13, due at 100, 101, 102, 103 s; the observer saw one chunk from before.
    join = Join(starts={0: 10}, dues={0: array("d", [100, 101, 102, 103])})
    join.take(chunk(name, 5, 12, 110, 111) for name in CONSUMERS)
    join.take(chunk(name, 12, 14, 120, 121) for name in CONSUMERS if name != "stats")
    assert join.missing() == 2
    join.take([chunk("stats", 12, 14, 130, 140)])
    assert join.missing() == 0
    found = join.quantiles()
    assert found["committed"]["logging"].max == 18_000
    assert found["committed"]["all"].max == 28_000
    assert found["readable"]["all"].max == 38_000
    assert set(found["readable"]) == {"stats", "leaderboards", "all"}


def test_an_event_bears_the_time_at_which_it_was_due() -> None:
    source, due = Source(seed=1), 1_795_000_000.123456
    assert {due_of(source.message(due).value) for _ in range(50)} == {due}
    assert due_of(source.body(1, due)) == due
    assert due_of(b"{}") == 0


def test_what_measures_is_not_charged_to_the_pipeline() -> None:
    figures = Figures(row="x", kind="rate")
    figures.charge({"web": 0.5, "postgres": 1.0, "observer": 4.0, "generator": 2.0}, 10_000)
    assert figures.cpu_total == 150
    assert figures.beside == {"observer": 400, "generator": 200}


def test_the_cpu_of_a_process_is_counted_with_its_children() -> None:
    roots = {"me": os.getpid()}
    before = cpu.by_group(roots)
    until = time.process_time() + 0.15
    while time.process_time() < until:
        pass
    used = cpu.difference(before, cpu.by_group(roots))
    assert 0.1 < used["me"] < 5
    assert cpu.by_group(roots, {os.getpid(): "moved"})["moved"] > 0


def test_memory_that_grows_is_named_and_memory_that_swings_is_not() -> None:
    growing = [100 + number * 0.5 for number in range(120)]
    swinging = [100.0 + 6 * (number % 2) for number in range(120)]
    filling = [20.0 * min(number, 20) for number in range(120)]
    assert set(grown({"worker": growing, "redis": swinging, "kafka": filling})) == {"worker"}


def test_rows_are_chosen_by_how_their_names_begin() -> None:
    names = [row.name for row in chosen(rows(FULL), ["rate http", "drain"])]
    assert names[:2] == ["drain", "drain log"] and len(names) == 10
    assert all(name.startswith("rate http") for name in names[2:])
    assert not chosen(rows(FULL), ["rat"])
    assert len(rows(QUICK)) < len(rows(FULL))


def test_a_target_is_told_only_of_rows_that_ran_well() -> None:
    found = Quantiles(count=1, p50=10, p95=20, p99=60, max=70)
    row = Figures(row="rate kafka 10000", kind="rate", offered=10_000, sustained=True)
    row.latency, row.cpu = {"committed": {"all": found}}, {"postgres": 120.0}
    told = {(line[0], line[1]): line[3] for line in targets.lines([row])}
    assert told["p99 at 10,000/s by Kafka, all three", "required: < 100 ms"] == "met"
    assert told["p99 at 10,000/s by Kafka, all three", "goal: < 50 ms"] == "missed"
    assert told["CPU an event at 10,000/s", "goal: < 110 us"] == "missed"
    assert told["sustained from Kafka", "required: >= 10,000 events/s"] == "met"
    assert not any(aim.startswith("goal: >= 15,000") for _, aim in told)
    held = Figures(row="hold kafka 10000", kind="hold", offered=10_000, sustained=False)
    (line,) = (line for line in targets.lines([row, held]) if "10,000 events/s" in line[1])
    assert line[2:] == ("0.0", "missed")
    assert not any(name.startswith("drain") for name, _ in told)
    row.problems.append("2 events are missing")
    assert not targets.lines([row])
