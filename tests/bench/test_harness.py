"""The benchmark's harness, run very small: that it runs, adds up and says what it claims to say.

No figure of it is looked at: a test machine is busy with other tests.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gamemetrics.stack.errors import StackError
from tests.bench.catalogue import chosen, long_rows, rows
from tests.bench.figures import Figures
from tests.bench.plots import cpu, drains, latency
from tests.bench.publish import read, section
from tests.bench.report import save, table
from tests.bench.runner import Run
from tests.bench.sizes import TINY

# Ten rows, and a stack that is started for them.
pytestmark = pytest.mark.timeout(900)
ROWS = ["drain", "strict", "rate", "http single", "reads top-25", "rebuild"]
GROUPS = {
    *("postgres", "redis", "kafka", "web", "bridge", "flower"),
    *("worker-logging", "worker-stats", "worker-leaderboards"),
}


@dataclass(kw_only=True)
class Told:
    """What a run said, measured and left in its file."""

    lines: list[str] = field(default_factory=list)
    measured: dict[str, Figures] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    shown: str = ""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    told = Told()
    path = Path(tmp_path_factory.mktemp("bench")) / "bench.json"
    run = Run(tell=told.lines.append, keep=lambda row: told.measured.update({row.row: row}))
    *usual, strict = chosen(rows(TINY), ROWS)
    try:
        run.rows([*usual, *long_rows(TINY, growing=False, soaking=True), strict])
    except StackError as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the benchmark's stack cannot be started here: {problem}")
    measured = list(told.measured.values())
    save(path, measured, {"began_at": "now", "size": "tiny", **run.described})
    told.kept, told.shown = json.loads(path.read_text()), table(measured)
    return told


def test_every_row_is_measured_and_counts_what_it_sent(told: Told) -> None:
    assert [row.problems for row in told.measured.values()] == [[]] * len(told.measured)
    assert list(told.measured) == [
        *("drain", "drain log", "rate kafka 200", "rate single 200", "rate http 200"),
        *("http single 2", "reads top-25", "rebuild leaderboards", "rebuild stats"),
        *("soak", "strict"),
    ]
    sent = {name: row.events for name, row in told.measured.items()}
    assert sent["drain"] == TINY.drain_events
    assert sent["strict"] == TINY.strict_events
    for entry in ("kafka", "single", "http"):
        assert sent[f"rate {entry} 200"] == 200 * TINY.rate_seconds


def test_a_rate_has_the_latency_of_each_of_its_events(told: Told) -> None:
    for entry in ("kafka", "single", "http"):
        row = told.measured[f"rate {entry} 200"]
        assert row.latency["committed"].keys() == {"logging", "stats", "leaderboards", "all"}
        assert row.latency["readable"].keys() == {"stats", "leaderboards", "all"}
        for of_consumers in (row.latency["committed"], row.latency["readable"]):
            for found in of_consumers.values():
                assert found.count == row.events
                assert 0 < found.p50 <= found.p95 <= found.p99 <= found.max
        committed = row.latency["committed"]
        assert all(committed["all"].p50 >= found.p50 for found in committed.values())
        assert row.backlog is not None and row.sustained is not None


def test_cpu_and_memory_are_told_of_every_process(told: Told) -> None:
    for name in ("drain", "rate kafka 200", "rate http 200", "strict"):
        row = told.measured[name]
        assert set(row.cpu) == GROUPS
        assert row.cpu_total > 0 and "observer" in row.beside
        assert row.wal and row.probe and row.probe.work > 0 < row.probe.wake
        assert {process.group for process in row.memory} == GROUPS
        assert all(process.pss <= process.rss + 0.1 for process in row.memory)
    soaked = told.measured["soak"].notes["memory_mib"]
    assert set(soaked) == GROUPS
    assert all(soaked.values())


def test_strict_mode_has_one_event_a_chunk(told: Told) -> None:
    assert told.measured["strict"].notes["events_a_chunk"] == 1
    assert told.measured["drain"].notes["events_a_chunk"] > 1


def test_the_file_says_what_ran_where_and_is_read_back(told: Told) -> None:
    kept = told.kept
    assert kept["commit"] and kept["machine"]["cores"] >= 1 and kept["machine"]["memory_gib"] > 0
    assert {"python", "postgresql", "kafka", "redis", "celery"} <= kept["versions"].keys()
    assert kept["settings"]["postgresql"]["synchronous_commit"] == "on"
    assert kept["settings"]["postgresql"]["fsync"] == "on"
    rates = [row for row in read(kept) if row.row == "rate kafka 200"]
    assert rates[0].latency == told.measured["rate kafka 200"].latency
    assert "| rate http 200 | 200 |" in section("All rows", kept)


def test_table_and_pictures_show_the_rows(told: Told) -> None:
    found = read(told.kept)
    assert all(name in told.shown for name in told.measured)
    assert told.lines[0].startswith("1/11 drain")
    for draw in (latency, cpu, drains):
        assert draw(found).startswith("<svg ")
    assert "from HTTP" in latency(found) and "gamemetrics" in drains(found)
