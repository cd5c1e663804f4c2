"""The figures as pictures: latency against rate, CPU by process, drains beside those of peers."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log10
from typing import Final

from apps.contract.queues import Consumer
from tests.bench.figures import ENTRIES, Figures, Quantiles
from tests.bench.report import GROUPS
from tests.bench.svg import Drawing

QUANTILES: Final = (("p50", "#4c8bd6"), ("p95", "#d08a1d"), ("p99", "#cf4f45"))
COLOURS: Final = dict(
    zip(
        GROUPS,
        (
            *("#4c8bd6", "#7d8590", "#cf4f45", "#d08a1d", "#3f9d63"),
            *("#7a57b5", "#a07fd4", "#c6afe8", "#a9b1ba", "#5c6570"),
        ),
        strict=True,
    )
)
SHORT: Final = {
    "worker-logging": "w: log",
    "worker-stats": "w: stats",
    "worker-leaderboards": "w: boards",
}
AIM_MS: Final = 50.0
OURS: Final = "gamemetrics"
TOP, BOTTOM, PANEL, GAP = 76, 300, 330, 70


def rates_of(rows: Sequence[Figures], entry: str) -> list[Figures]:
    """The rows of one entry that have figures, by their rate."""
    found = [row for row in rows if row.row.startswith(f"rate {entry} ") and row.latency]
    return sorted(found, key=lambda row: row.offered or 0)


def latency(rows: Sequence[Figures]) -> str:
    """Due to committed in all three, against the offered rate; the scale of time is logarithmic."""
    drawing = _two_panels("Latency from due to committed in all three consumers, ms")
    values = [quantiles(row) for entry in ENTRIES for row in rates_of(rows, entry)]
    highest = max((found.p99 for found in values), default=100.0)
    decades = max(2, ceil(log10(highest)))

    def height(milliseconds: float) -> float:
        share = log10(max(1.0, milliseconds)) / decades
        return BOTTOM - share * (BOTTOM - TOP)

    for panel, (entry, name) in enumerate(ENTRIES.items()):
        left = 60 + panel * (PANEL + GAP)
        _grid(
            drawing, left, f"from {name}", [(10.0**n, height(10.0**n)) for n in range(decades + 1)]
        )
        drawing.line(left, height(AIM_MS), left + PANEL, height(AIM_MS), "aim")
        drawing.text(left + PANEL, height(AIM_MS) - 4, "50 ms", anchor="end", kind="soft")
        found = rates_of(rows, entry)
        places = _places(drawing, left, found)
        for name, colour in QUANTILES:
            points = [
                (x, height(getattr(quantiles(row), name)))
                for x, row in zip(places, found, strict=True)
            ]
            drawing.curve(points, colour)
            for (x, y), row in zip(points, found, strict=True):
                told = f"{row.offered:,.0f}/s: {name} {getattr(quantiles(row), name):,.1f} ms"
                drawing.dot(x, y, colour, hollow=not row.sustained, told=told)
    drawing.legend(60, 52, QUANTILES, 60)
    drawing.text(250, 52, "hollow: the rate was not sustained", kind="soft")
    return drawing.whole()


def cpu(rows: Sequence[Figures]) -> str:
    """CPU an event by process, stacked, at each offered rate."""
    drawing = _two_panels("CPU an event, microseconds, without the generator")
    # An idle process costs the same at any rate: at low ones its share hides everything else.
    found = {entry: [r for r in rates_of(rows, entry) if _worth(r)] for entry in ENTRIES}
    highest = max((row.cpu_total for each in found.values() for row in each), default=100.0)
    step = _step(highest)
    top = ceil(highest / step) * step
    scale = (BOTTOM - TOP) / top
    for panel, (entry, name) in enumerate(ENTRIES.items()):
        left = 60 + panel * (PANEL + GAP)
        marks = [(n * step, BOTTOM - n * step * scale) for n in range(int(top / step) + 1)]
        _grid(drawing, left, f"from {name}", marks)
        for x, row in zip(_places(drawing, left, found[entry]), found[entry], strict=True):
            _stack(drawing, x, row, scale)
    names = [(SHORT.get(group, group), COLOURS[group]) for group in GROUPS if group != "peer"]
    drawing.legend(60, 52, names, 84)
    return drawing.whole()


def drains(rows: Sequence[Figures]) -> str:
    """Events a second of the backlog, ours and the peers', as bars."""
    found = [row for row in rows if row.kind in {"drain", "peer"} and row.done]
    found.sort(key=lambda row: -row.done)
    drawing = Drawing(width=800, height=64 + 34 * len(found), title="Draining a backlog")
    drawing.text(20, 26, "Draining a backlog, events/s", kind="title")
    widest = max((row.done for row in found), default=1.0)
    for place, row in enumerate(found):
        y = 48 + place * 34
        width = max(2.0, row.done / widest * 380)
        # Ours tell what each consumer did.
        done = row.notes.get("by_consumer", {})
        jobs = row.notes.get("jobs", [one.value for one in Consumer if one.value in done])
        name = row.notes.get("name", OURS)
        # The product scaled out is a peer of its own kind.
        colour = COLOURS["postgres" if name.startswith(OURS) else "kafka"]
        drawing.text(312, y + 8, name[:52], anchor="end")
        drawing.text(312, y + 21, ", ".join(jobs), anchor="end", kind="soft")
        drawing.bar(320, y, width, 20, colour, f"{name}: {row.done:,.0f}/s")
        told = f"{row.done:,.0f}" + (f", {row.cpu_total:,.0f} us" if row.cpu_total else "")
        drawing.text(320 + width + 6, y + 15, told)
    return drawing.whole()


def quantiles(row: Figures) -> Quantiles:
    return row.latency["committed"]["all"]


def _worth(row: Figures) -> bool:
    return (row.offered or 0) >= 1_000


def _two_panels(title: str) -> Drawing:
    drawing = Drawing(width=820, height=340, title=title)
    drawing.text(20, 26, title, kind="title")
    return drawing


def _grid(drawing: Drawing, left: float, title: str, marks: list[tuple[float, float]]) -> None:
    drawing.text(left + PANEL / 2, BOTTOM + 34, f"events/s {title}", anchor="middle")
    for value, y in marks:
        drawing.line(left, y, left + PANEL, y, "grid")
        drawing.text(left - 6, y + 4, f"{value:,.0f}", anchor="end", kind="soft")
    drawing.line(left, BOTTOM, left + PANEL, BOTTOM, "axis")


def _places(drawing: Drawing, left: float, rows: Sequence[Figures]) -> list[float]:
    """Where each rate stands, evenly apart; its number is written below."""
    places = [left + PANEL * (number + 0.5) / len(rows) for number in range(len(rows))]
    for x, row in zip(places, rows, strict=True):
        drawing.text(x, BOTTOM + 16, _short(row.offered or 0), anchor="middle", kind="soft")
    return places


def _short(rate: float) -> str:
    """So short that eight of them stand beside each other."""
    return f"{rate / 1000:g}k" if rate >= 1000 else f"{rate:g}"


def _stack(drawing: Drawing, x: float, row: Figures, scale: float) -> None:
    y = float(BOTTOM)
    for group in GROUPS:
        height = row.cpu.get(group, 0.0) * scale
        if height >= 0.5:
            y -= height
            told = f"{group}: {row.cpu[group]:,.1f} us at {row.offered:,.0f}/s"
            # A line of the page between two, so that neighbours of like colours stay apart.
            drawing.bar(x - 15, y, 30, height - min(1.0, height / 3), COLOURS[group], told)
    drawing.text(x, y - 5, f"{row.cpu_total:,.0f}", anchor="middle")


def _step(highest: float) -> float:
    """A round distance of the marks, of which three to eight are seen."""
    power = 10.0 ** (len(f"{int(highest)}") - 1)
    return next(part * power for part in (0.2, 0.5, 1.0, 2.0) if highest / (part * power) <= 8)
