"""The kept figures as docs/performance.md shows them: tables of each run and three pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.bench import memory, plots, targets
from tests.bench.catalogue import long_rows, rows
from tests.bench.figures import Figures
from tests.bench.marks import NoPlace, between
from tests.bench.report import GROUPS, HEADINGS, cells
from tests.bench.sizes import FULL

PAGE: Final = PROJECT_ROOT / "docs" / "performance.md"
IMAGES: Final = PROJECT_ROOT / "docs" / "images"
PICTURES: Final = {
    "performance-latency.svg": (plots.latency, "Latency against the offered rate"),
    "performance-cpu.svg": (plots.cpu, "CPU an event, by process"),
    "performance-drain.svg": (plots.drains, "Drained events a second, beside the peers'"),
}
FIRST: Final = HEADINGS[: HEADINGS.index("CPU") + 1]
# A run's file, and what its figures are called on the page.
RUNS: Final = {
    "bench": "All rows",
    "bench-growth": "Growth",
    "bench-soak": "Soak",
}


class NotPublished(Exception):
    """The page stays as it is."""


def publish(results: Path, page: Path = PAGE, images: Path = IMAGES) -> list[Path]:
    """Write the figures of each run that is there in its place on the page, and the pictures of the
    run of all rows; the files written. A run that is not there keeps the figures it has.

    Raises NotPublished: a run lacks rows, or there is none, or the page has no place for it.
    """
    runs = {
        name: json.loads(path.read_text())
        for name in RUNS
        if (path := results / f"{name}.json").exists()
    }
    if not runs:
        raise NotPublished(f"no run in {results}")
    for name, kept in runs.items():
        if lacking := missing(name, kept):
            raise NotPublished(f"{name}.json is not a whole run: without {', '.join(lacking)}")
    text = page.read_text()
    for name, kept in runs.items():
        text = placed(text, name, section(RUNS[name], kept))
    drawn = {}
    if "bench" in runs:
        measured = read(runs["bench"])
        drawn = {images / name: draw(measured) for name, (draw, _) in PICTURES.items()}
    written = {page: text, **drawn}
    for path, content in written.items():
        path.write_text(content)
    return list(written)


def missing(name: str, kept: dict[str, Any]) -> list[str]:
    """The rows of a full run that this one has not, be it shorter, chosen or ended before."""
    full = long_rows(FULL, growing=name == "bench-growth", soaking=name == "bench-soak")
    there = {figures["row"] for figures in kept["rows"]}
    wanted = [row.name for row in full or rows(FULL)]
    return wanted if kept["size"] != "full" else [row for row in wanted if row not in there]


def placed(text: str, name: str, figures: str) -> str:
    """The page with these figures, and the pictures of all rows, between the marks of the run."""
    begin, end = f"<!-- figures: {name} -->", f"<!-- /figures: {name} -->"
    shown = f"{pictures()}\n\n{figures}" if name == "bench" else figures
    try:
        return between(text, begin, end, f"\n\n{shown}\n\n")
    except NoPlace as problem:
        raise NotPublished(f"the page: {problem}") from problem


def read(kept: dict[str, Any]) -> list[Figures]:
    """The rows of a result file."""
    return msgspec.convert(kept["rows"], list[Figures])


def pictures() -> str:
    return "\n\n".join(f"![{title}](images/{name})" for name, (_, title) in PICTURES.items())


def section(title: str, kept: dict[str, Any]) -> str:
    """One run: on what it was measured, its table, and its CPU and memory by process."""
    measured, machine, versions = read(kept), kept["machine"], kept["versions"]
    described = (
        f"{title}: commit `{kept['commit']}`, {kept['began_at']}, `{kept['size']}` run on"
        f" {machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB;"
        f" PostgreSQL {versions['postgresql']}, Apache Kafka {versions['kafka']}, Redis"
        f" {versions['redis']}, Python {versions['python']}."
    )
    met = targets.lines(measured)
    aims = [_markdown(targets.HEADINGS, met)] if met else []
    return "\n\n".join((described, latencies(measured), costs(measured), *aims))


def latencies(measured: Sequence[Figures]) -> str:
    """What is in the terminal's table but the parts of the CPU."""
    lines = [dict(zip(HEADINGS, cells(row), strict=True)) for row in measured]
    names = (*FIRST, "WAL", "foreign", "work", "wake", "result")
    return _markdown(names, ([line[name] for name in names] for line in lines))


def costs(measured: Sequence[Figures]) -> str:
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
            for row in measured
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
