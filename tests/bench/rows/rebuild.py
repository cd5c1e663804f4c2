"""Boards and statistics made anew from the log: how fast, and equal to the live ones."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.bench.checks import counts
from tests.bench.figures import Figures
from tests.bench.meter import Meter
from tests.bench.rig import Rig
from tests.bench.row import Row
from tests.rigs.processes import NotRunning

LIMIT: Final = 1800.0  # seconds
# What a table says, whatever the order of its rows: without row ids, versions and times of writing.
_SAID: Final = """
SELECT count(*), md5(string_agg(line, '' ORDER BY line))
  FROM (SELECT md5(row({columns})::text) AS line FROM {table} {grouped}) AS lines
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table that is made from the log; the counts of a game are spread over several rows."""

    name: str
    columns: str
    grouped: str = ""

    @property
    def query(self) -> str:
        return _SAID.format(table=self.name, columns=self.columns, grouped=self.grouped)


_COUNTS: Final = "total_events, event_breakdown, sessions, first_event_at, last_event_at"
# By the argument of `manage.py rebuild`.
TABLES: Final = {
    "leaderboards": (
        Table(
            name="leaderboards",
            columns="game_id, board, period, period_start, player_id, score, rank_key, achieved_at",
        ),
    ),
    "stats": (
        Table(name="player_statistics", columns=f"game_id, player_id, {_COUNTS}"),
        Table(name="player_statistics_daily", columns=f"game_id, player_id, day, {_COUNTS}"),
        Table(name="player_sessions", columns="game_id, player_id, session_id, day"),
        Table(
            name="game_statistics",
            columns="game_id, sum(total_events), sum(players)",
            grouped="GROUP BY game_id",
        ),
        Table(
            name="game_statistics_daily",
            columns="game_id, day, sum(total_events), sum(active_players)",
            grouped="GROUP BY game_id, day",
        ),
    ),
}


def rebuilds(events: int) -> list[Row]:
    """A row for each thing that is rebuilt."""
    return [
        Row(
            name=f"rebuild {what}",
            shows=f"{what} of {events:,} events, made anew after their rows were lost",
            measure=partial(measured, what=what, events=events),
            limit=LIMIT,
        )
        for what in TABLES
    ]


def measured(rig: Rig, *, what: str, events: int) -> Figures:
    """Apply the events live, rebuild what is right, delete it all and rebuild it.

    `done` and CPU are of the rebuild of what was lost. What the tables say must be the same each
    time, to the last digit.
    """
    rig.ready()
    rig.produce(events)
    rig.wait_applied(patience=max(120.0, events / 500))
    figures = Figures(row="", kind="rebuild", events=events)
    figures.problems += counts(rig, events)
    live = said(rig, what)
    right, told_right = _rebuild(rig, what)
    figures.problems += _differences(live, said(rig, what), "rebuilt beside what was right")
    rig.postgres.sql(f"TRUNCATE {', '.join(table.name for table in TABLES[what])}")
    meter = Meter(rig=rig)
    meter.mark()
    own = _children()
    lost, told_lost = _rebuild(rig, what)
    own = _children() - own
    meter.read(generator=0.0)
    figures.problems += _differences(live, said(rig, what), "rebuilt after it was lost")
    meter.write(figures, events)
    figures.cpu["rebuild"] = round(own / events * 1e6, 2)
    figures.seconds, figures.done = round(lost, 3), round(events / lost, 1)
    figures.notes |= {
        "rows": {table: rows for table, (rows, _) in live.items()},
        "seconds_of_what_was_right": round(right, 3),
        "told": [told_right, told_lost],
        "note": f"of what was right {events / right:,.0f}/s",
    }
    return figures


def said(rig: Rig, what: str) -> dict[str, tuple[int, str]]:
    """By table: its rows, and a digest of what they say."""
    found: dict[str, tuple[int, str]] = {}
    for table in TABLES[what]:
        with rig.postgres.cursor(timeout=600) as cursor:
            cursor.execute(table.query)
            rows, digest = cursor.fetchone()
            found[table.name] = rows, digest
    return found


def _differences(
    live: dict[str, tuple[int, str]], found: dict[str, tuple[int, str]], when: str
) -> list[str]:
    return [
        f"{table} {when}: {found[table]}, live {rows}"
        for table, rows in live.items()
        if found[table] != rows
    ]


def _rebuild(rig: Rig, what: str) -> tuple[float, str]:
    """Seconds of the command with its start, and what it told. Raises NotRunning."""
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "manage.py", "rebuild", what],
        env=dict(rig.environment.given()),
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if ran.returncode:
        raise NotRunning(f"rebuild {what} ended with {ran.returncode}: {ran.stderr[-1000:]}")
    return time.monotonic() - began, ran.stdout.strip().splitlines()[-1].strip()


def _children() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
