"""A backlog lies in Kafka; the bridge starts; how fast are all three consumers at its end?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from apps.contract.queues import Consumer
from tests.bench.checks import counts
from tests.bench.figures import Figures
from tests.bench.fill import Filled
from tests.bench.rig import APPLICATIONS, WARMING, Rig
from tests.bench.row import Row
from tests.bench.watch import Watch, watch


def drain(events: int) -> Row:
    """The row of the table."""
    return Row(
        name="drain",
        shows=f"{events:,} events lie in Kafka when the bridge starts",
        measure=partial(measured, row="drain", events=events),
    )


def strict(events: int) -> Row:
    """One task an event a queue."""
    return Row(
        name="strict",
        shows=f"BRIDGE_CHUNK_EVENTS=1: {events:,} events lie in Kafka when the bridge starts",
        measure=partial(
            measured,
            row="strict",
            events=events,
            # A hundredth of the speed: as many as elsewhere would take longer than the row.
            warming=60,
            settings={"BRIDGE_CHUNK_EVENTS": "1"},
        ),
    )


def logging_alone(events: int) -> Row:
    """The log's job by itself, beside the peer that does nothing else."""
    return Row(
        name="drain log",
        shows=f"{events:,} events lie in Kafka when the bridge starts, for the log alone",
        measure=partial(
            measured,
            row="drain log",
            events=events,
            consumers=(Consumer.LOGGING,),
            running=("bridge", "worker-logging"),
        ),
    )


def measured(
    rig: Rig,
    *,
    row: str,
    events: int,
    warming: int = WARMING,
    settings: Mapping[str, str] | None = None,
    fill: Callable[[Rig], Filled] = lambda rig: Filled(),
    consumers: Sequence[Consumer] = tuple(Consumer),
    running: Sequence[str] = APPLICATIONS,
    **more: Any,
) -> Figures:
    """Drain so many events.

    `settings` are for our processes, `more` for the generator; `fill` puts rows into the empty
    tables. Of the processes those that are `running` run, and `consumers` are to apply; the others
    find themselves at the end of the topic. The start of the bridge is not in the time: it runs
    from the first commit, and the events committed then are not counted.
    """
    rig.ready(warming=warming, **(settings or {}))
    filled = fill(rig)
    rig.run(*(name for name in running if name != "bridge"), **(settings or {}))
    figures = Figures(row=row, kind=row.partition(" ")[0], events=events)
    with watch(rig, consumers) as watched:
        rig.produce(events, **more)
        rig.skip([consumer for consumer in Consumer if consumer not in consumers])
        rig.run(*running, **(settings or {}))
        first = watched.first()
        watched.finish(patience=max(60.0, events / 100))
        figures.seconds = round(watched.last_committed() - first, 3)
        counted = events - _before(watched, first)
        figures.done = round(counted / figures.seconds, 1)
        watched.write(figures, counted)
    figures.notes["by_consumer"] = _by_consumer(watched, first, counted)
    figures.problems += counts(rig, events, filled, consumers)
    return figures


def _before(watched: Watch, first: float) -> int:
    """Events that all three had committed at the first look that saw any, at most."""
    sizes: dict[str, int] = {}
    for chunk in watched.seen:
        if chunk.committed_at <= first:
            size = chunk.next_offset - chunk.first_offset
            sizes[chunk.consumer] = sizes.get(chunk.consumer, 0) + size
    return max(sizes.values(), default=0)


def _by_consumer(watched: Watch, first: float, counted: int) -> dict[str, float]:
    """Events a second until each consumer was at the end."""
    ends: dict[str, float] = {}
    for chunk in watched.seen:
        ends[chunk.consumer] = max(ends.get(chunk.consumer, 0.0), chunk.committed_at)
    return {name: round(counted / max(0.001, at - first), 1) for name, at in ends.items()}
