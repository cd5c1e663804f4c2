"""A steady rate for long, with the memory of every process: does any of it grow?"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Final

from tests.bench import kafka_load, memory
from tests.bench.checks import counts
from tests.bench.child import Child
from tests.bench.figures import Figures
from tests.bench.rig import PATIENCE, Rig
from tests.bench.row import Row
from tests.bench.rows import rate as rates
from tests.bench.watch import watch

SAMPLES: Final = 120
# The first part is not looked at: pools fill, caches warm, the heap of the JVM finds its size.
WARMING: Final = 0.25
# A process is flat if it grows by less than this over what is looked at, or by less than 5 %.
SLACK_MIB: Final = 8.0
SLACK: Final = 0.05


def soak(rate: int, seconds: float) -> Row:
    """The row of `make bench SOAK=1`."""
    return Row(
        name="soak",
        shows=f"{rate:,} events/s from Kafka for {seconds / 60:.0f} min",
        measure=partial(measured, rate=rate, seconds=seconds),
        limit=seconds + 900,
    )


def measured(rig: Rig, *, rate: int, seconds: float) -> Figures:
    """As the row of this rate, with samples of the private memory of each process group."""
    rig.ready()
    plan = kafka_load.Plan(
        servers=rig.servers,
        topic=rig.topic,
        events=int(rate * seconds),
        rate=rate,
        ahead=rate * 5,
    )
    figures = Figures(row="soak", kind="soak", offered=rate)
    with watch(rig) as watched, rig.child("tests.bench.kafka_load", plan) as load:
        starts_at = float(load.hear(PATIENCE)["starts_at"])
        watched.meter.mark()
        samples = _sampled(rig, load, figures, every=seconds / SAMPLES)
        watched.finish(rates.DRAIN, generator=figures.notes.pop("generator_cpu"))
        rates.judge(figures, watched, starts_at, seconds)
    figures.notes["memory_mib"] = samples
    growing = grown(samples)
    figures.notes["grown_mib"] = growing
    figures.notes["note"] = f"grew: {growing}" if growing else "memory flat"
    figures.problems += counts(rig, figures.events)
    return figures


def _sampled(rig: Rig, load: Child, figures: Figures, *, every: float) -> dict[str, list[float]]:
    """MiB of each group, until the generator has sent everything."""
    samples: dict[str, list[float]] = defaultdict(list)
    deadline = time.monotonic() + SAMPLES * every + 2 * PATIENCE
    while (report := load.heard(every)) is None:
        rig.demand_alive()
        if time.monotonic() > deadline:
            raise TimeoutError("the generator does not come to its end")
        totals: dict[str, float] = defaultdict(float)
        for process in memory.by_process(rig.roots()):
            totals[process.group] += process.private
        for group, total in totals.items():
            samples[group].append(round(total, 2))
    figures.notes["generator_cpu"] = report["cpu"]
    if report["failed"]:
        figures.problems.append(f"Kafka did not take {report['failed']} events")
    return dict(samples)


def grown(samples: dict[str, list[float]]) -> dict[str, float]:
    """The groups that are not flat, and by how many MiB the straight line through them grew."""
    found = {}
    for group, values in samples.items():
        looked_at = values[int(len(values) * WARMING) :]
        if len(looked_at) < 3:
            continue
        growth = slope(looked_at) * (len(looked_at) - 1)
        if growth > max(SLACK_MIB, SLACK * looked_at[0]):
            found[group] = round(growth, 1)
    return found


def slope(values: Sequence[float]) -> float:
    """Of the least-squares line, by sample."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    above = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return above / sum((place - middle) ** 2 for place in range(len(values)))
