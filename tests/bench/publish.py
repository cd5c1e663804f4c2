"""The kept figures as docs/performance.md shows them: two tables and three pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.bench import memory, plots, targets
from tests.bench.figures import Figures
from tests.bench.report import GROUPS, HEADINGS, cells

PAGE: Final = PROJECT_ROOT / "docs" / "performance.md"
IMAGES: Final = PROJECT_ROOT / "docs" / "images"
BEGIN, END = "<!-- figures: make bench PUBLISH=1 -->", "<!-- /figures -->"
PICTURES: Final = {
    "performance-latency.svg": (plots.latency, "Latency against the offered rate"),
    "performance-cpu.svg": (plots.cpu, "CPU an event, by process"),
    "performance-drain.svg": (plots.drains, "Drained events a second, beside the peers'"),
}
FIRST: Final = HEADINGS[: HEADINGS.index("CPU") + 1]
# Runs that are published together, and what each is called.
RUNS: Final = {
    "bench": "All rows",
    "bench-growth": "Growth",
    "bench-soak": "Soak",
}


def publish(results: Path) -> list[Path]:
    """Write the page's figures and its pictures from the runs that are there; the files written.

    Raises FileNotFoundError where there is no run of all rows.
    """
    kept = json.loads((results / "bench.json").read_text())
    rows = read(kept)
    written = [PAGE]
    for name, (draw, _) in PICTURES.items():
        (IMAGES / name).write_text(draw(rows))
        written.append(IMAGES / name)
    parts = [pictures()]
    for name, title in RUNS.items():
        path = results / f"{name}.json"
        if path.exists():
            parts.append(section(title, json.loads(path.read_text())))
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}")
    return written


def read(kept: dict[str, Any]) -> list[Figures]:
    """The rows of a result file."""
    return msgspec.convert(kept["rows"], list[Figures])


def pictures() -> str:
    return "\n\n".join(f"![{title}](images/{name})" for name, (_, title) in PICTURES.items())


def section(title: str, kept: dict[str, Any]) -> str:
    """One run: on what it was measured, its table, and its CPU and memory by process."""
    rows, machine, versions = read(kept), kept["machine"], kept["versions"]
    described = (
        f"{title}: commit `{kept['commit']}`, {kept['began_at']}, `{kept['size']}` run on"
        f" {machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB;"
        f" PostgreSQL {versions['postgresql']}, Apache Kafka {versions['kafka']}, Redis"
        f" {versions['redis']}, Python {versions['python']}."
    )
    met = targets.lines(rows)
    aims = [_markdown(targets.HEADINGS, met)] if met else []
    return "\n\n".join((described, latencies(rows), costs(rows), *aims))


def latencies(rows: Sequence[Figures]) -> str:
    """What is in the terminal's table but the parts of the CPU."""
    lines = [dict(zip(HEADINGS, cells(row), strict=True)) for row in rows]
    names = (*FIRST, "WAL", "foreign", "work", "wake", "result")
    return _markdown(names, ([line[name] for name in names] for line in lines))


def costs(rows: Sequence[Figures]) -> str:
    """CPU microseconds an event and MiB, by process."""
    names = ("row", *GROUPS, "total", "generator", "observer")
    return _markdown(
        ("CPU us / MiB", *names[1:]),
        (
            [
                row.row,
                *(_pair(row, group) for group in GROUPS),
                _both(row.cpu_total, sum(memory.by_group(row.memory).values())),
                *(f"{row.beside.get(name, 0):,.0f}" for name in names[-2:]),
            ]
            for row in rows
            if row.cpu
        ),
    )


def _pair(row: Figures, group: str) -> str:
    if group not in row.cpu:
        return ""
    return _both(row.cpu[group], memory.by_group(row.memory).get(group, 0.0))


def _both(cost: float, held: float) -> str:
    return f"{cost:,.0f} / {held:,.0f}" if held else f"{cost:,.0f}"


def _markdown(names: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = "|".join("---" if place == 0 else "---:" for place in range(len(names)))
    body = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join((f"| {' | '.join(names)} |", f"|{rule}|", *body))
