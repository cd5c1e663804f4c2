"""The table of results, and the file beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.bench import memory
from tests.bench.figures import Figures
from tests.rigs.results import aligned

HEADINGS: Final = (
    *("row", "offered/s", "done/s", "p50", "p95", "p99", "max", "log", "stats", "boards"),
    *("Redis", "backlog", "CPU", *("pg", "kafka", "redis", "bridge", "web")),
    *("w:log", "w:stats", "w:boards", "flower", "peer", "WAL", "MiB"),
    *("foreign", "work", "wake", "result"),
)
LEGEND: Final = (
    "p50 to max: ms from due to committed in all three (http, reads: to the answer). log, stats,"
    " boards: p99 of each. Redis: p99 to readable there. backlog: seconds.\n"
    "CPU: microseconds an event (http, reads: a request) of all processes, without generator and"
    " observer; then of each, w: its worker. WAL: bytes an event. MiB: PSS of all. foreign: cores"
    " that others used.\nwork, wake: how fast the machine was just before, as ms for a fixed piece"
    " of Python and us to another process and back; compare rows only where they are alike."
)
GROUPS: Final = (
    *("postgres", "kafka", "redis", "bridge", "web"),
    *("worker-logging", "worker-stats", "worker-leaderboards", "flower", "peer"),
)


def table(rows: Sequence[Figures]) -> str:
    """One line a row, and below it what the columns are."""
    lines = [HEADINGS, *(cells(figures) for figures in rows)]
    return f"{aligned(lines)}\n{LEGEND}"


def cells(figures: Figures) -> tuple[str, ...]:
    """A row's cells; empty where it has no such figure."""
    committed, readable = (figures.latency.get(name, {}) for name in ("committed", "readable"))
    total = committed.get("all") or figures.latency.get("answered", {}).get("all")
    quantiles = (total.p50, total.p95, total.p99, total.max) if total else ()
    each = [committed.get(name) for name in ("logging", "stats", "leaderboards")]
    in_redis = readable.get("all")
    return (
        figures.row,
        _number(figures.offered),
        _number(figures.done or None),
        *(f"{value:.1f}" for value in quantiles or (None,) * 4 if value is not None),
        *([""] * (0 if quantiles else 4)),
        *(f"{one.p99:.1f}" if one else "" for one in each),
        f"{in_redis.p99:.1f}" if in_redis else "",
        "" if figures.backlog is None else f"{figures.backlog:.2f}",
        _number(figures.cpu_total or None),
        *(_number(figures.cpu.get(group)) for group in GROUPS),
        _number(figures.wal),
        _number(sum(memory.by_group(figures.memory).values()) or None),
        "" if figures.foreign is None else f"{figures.foreign:.2f}",
        _number(figures.probe.work if figures.probe else None),
        _number(figures.probe.wake if figures.probe else None),
        result(figures),
    )


def result(figures: Figures) -> str:
    """Whether the row can be believed, and whether its rate was sustained."""
    if figures.problems:
        return f"FAILED: {figures.problems[0].splitlines()[0]}"
    note = str(figures.notes.get("note", ""))
    if figures.sustained is None:
        return note or "done"
    told = "sustained" if figures.sustained else "NOT sustained"
    return f"{told}, {note}" if note else told


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def save(path: Path, rows: Sequence[Figures], described: dict[str, Any]) -> None:
    """Keep all of it as JSON; a run that is ended half-way has what it had."""
    path.parent.mkdir(exist_ok=True)
    kept = {**described, "rows": [as_json(figures) for figures in rows]}
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(kept, indent=1) + "\n")
    beside.replace(path)


def as_json(figures: Figures) -> dict[str, Any]:
    found = asdict(figures)
    found["memory"] = [{**one, "title": one["title"][:40]} for one in found["memory"]]
    for process in found["memory"]:
        for name in ("rss", "pss", "shared", "private"):
            process[name] = round(process[name], 1)
    return {**found, "cpu_total": round(figures.cpu_total, 1)}
