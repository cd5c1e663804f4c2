"""The API alone: the consumers are stopped, and each connection sends as fast as it is answered."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

import msgspec

from tests.bench import http_load
from tests.bench.figures import Figures, Quantiles
from tests.bench.meter import Meter
from tests.bench.rig import PATIENCE, SERVERS, Rig
from tests.bench.row import Row

BATCHES: Final = (1, 100)


def alone(connections: Iterable[int], seconds: float) -> list[Row]:
    """A row for each number of connections and size of batch."""
    return [
        Row(
            name=f"http {'single' if batch == 1 else f'batch-{batch}'} {number}",
            shows=f"POST of {_events(batch)} over {number} connections, consumers stopped",
            measure=partial(measured, batch=batch, connections=number, seconds=seconds),
        )
        for batch in BATCHES
        for number in connections
    ]


def _events(batch: int) -> str:
    return "one event" if batch == 1 else f"{batch} events"


def measured(rig: Rig, *, batch: int, connections: int, seconds: float) -> Figures:
    """A closed loop: it shows what the server can take, not how late it answers at a rate."""
    if set(rig.roots()) != {*SERVERS, "web"}:
        rig.ready()
        rig.run("web")
    plan = http_load.Plan(
        port=rig.ports.web_port, connections=connections, seconds=seconds, batch=batch
    )
    figures, meter = Figures(row="", kind="http"), Meter(rig=rig)
    before = sum(rig.view().ends().values())
    with rig.child("tests.bench.http_load", plan) as load:
        load.hear(PATIENCE)
        meter.mark()
        report = load.hear(seconds + PATIENCE)
        meter.read(generator=report["cpu"])
    figures.events = report["answered"] * batch
    figures.seconds = round(report["seconds"], 3)
    figures.done = round(figures.events / figures.seconds, 1)
    if report["answer"]:
        figures.latency["answered"] = {"all": msgspec.convert(report["answer"], Quantiles)}
    figures.notes |= {
        "requests_a_second": round(report["answered"] / figures.seconds, 1),
        "statuses": report["statuses"],
        "note": f"{report['answered'] / figures.seconds:,.0f} requests/s",
    }
    meter.write(figures, figures.events)
    written = sum(rig.view().ends().values()) - before
    if set(report["statuses"]) != {"202"} or written < figures.events:
        figures.problems.append(f"answers {report['statuses']}, {written} events in the topic")
    rig.skip()
    return figures
