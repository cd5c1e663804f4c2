"""Events offered at a steady rate, by the clock: how long until each consumer has them?

The loop is open: when an event is due is fixed by the rate, and its latency counts from then,
however late it could be sent. What is measured is a rate that goes on: before it the same way is
gone for some seconds more, which are not counted, so that most players have their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import msgspec

from tests.bench import http_load, kafka_load
from tests.bench.checks import counts
from tests.bench.figures import Figures, Quantiles
from tests.bench.fill import Filled
from tests.bench.rig import PATIENCE, Rig
from tests.bench.row import Row
from tests.bench.watch import Watch, watch

# Seconds after the last event was due within which a rate that is sustained is done.
SUSTAINED: Final = 1.0
CONNECTIONS: Final = 64
# A rate that is not sustained is not to pile anything up before it is measured.
LEAD_RATE: Final = 3_000
LEAD_SEED: Final = 2
# The consumers are given so long for what the rate has piled up.
DRAIN: Final = 240.0


def rates(entry: str, offered: Iterable[int], seconds: float, *, lead: float) -> list[Row]:
    """A row for each rate; `entry` is where events come in: `kafka`, `single` (Kafka, each event at
    a time of its own) or `http`. `lead` are the seconds before it, at up to 3,000/s."""
    measure = {"kafka": from_kafka, "single": singly, "http": from_http}[entry]
    return [
        Row(
            name=f"rate {entry} {rate}",
            shows=_shows(entry, rate, seconds),
            measure=partial(measure, rate=rate, seconds=seconds, lead=lead),
        )
        for rate in offered
    ]


def held(offered: Iterable[int], seconds: float, *, lead: float) -> list[Row]:
    """The rates that are to be sustained, from Kafka, for longer than the others."""
    return [
        Row(
            name=f"hold kafka {rate}",
            shows=_shows("kafka", rate, seconds),
            measure=partial(from_kafka, rate=rate, seconds=seconds, lead=lead),
        )
        for rate in offered
    ]


def batch_of(rate: int) -> int:
    """Events of a request: as many as a game server gathers in about 10 ms."""
    return 1 if rate <= 100 else 10 if rate <= 1_000 else 100


def _shows(entry: str, rate: int, seconds: float) -> str:
    how = {
        "kafka": f"to Kafka, in batches of {batch_of(rate)},",
        "single": "to Kafka, each at a time of its own,",
        "http": f"by POST, in batches of {batch_of(rate)},",
    }[entry]
    return f"{rate:,} events/s {how} for {seconds:g} s"


def from_kafka(rig: Rig, *, rate: int, seconds: float, lead: float) -> Figures:
    """The pipeline behind the API: a producer writes what the API would, when it would."""
    return _from_producer(rig, rate, batch_of(rate), seconds, lead)


def singly(rig: Rig, *, rate: int, seconds: float, lead: float) -> Figures:
    """As from Kafka, but every event is due by itself, so hardly two share a request."""
    return _from_producer(rig, rate, 1, seconds, lead)


def _from_producer(rig: Rig, rate: int, batch: int, seconds: float, lead: float) -> Figures:
    rig.ready()
    before = float(min(rate, LEAD_RATE))
    filled = _led(
        rig, lambda: rig.produce(int(before * lead), rate=before, batch=batch, seed=LEAD_SEED)
    )
    plan = kafka_load.Plan(
        servers=rig.servers, topic=rig.topic, events=int(rate * seconds), rate=rate, batch=batch
    )
    figures = Figures(row="", kind="rate", offered=rate)
    with watch(rig) as watched, rig.child("tests.bench.kafka_load", plan) as load:
        starts_at = float(load.hear(PATIENCE + plan.events / 10_000)["starts_at"])
        watched.meter.mark()
        report = load.hear(seconds + 2 * PATIENCE)
        watched.finish(DRAIN, generator=report["cpu"])
        if report["failed"]:
            figures.problems.append(f"Kafka did not take {report['failed']} events")
        judge(figures, watched, starts_at, seconds)
        figures.notes["generator_late_p99_ms"] = round(report["late_p99"] * 1000, 2)
        figures.notes["batch"] = batch
    figures.problems += counts(rig, figures.events, filled)
    return figures


def from_http(rig: Rig, *, rate: int, seconds: float, lead: float) -> Figures:
    """The whole way, from the POST."""
    rig.ready()
    batch = batch_of(rate)
    before = _posts(rig, min(rate, LEAD_RATE), batch, lead, seed=LEAD_SEED)
    filled = _led(rig, lambda: rig.request(before, lead + PATIENCE))
    plan = _posts(rig, rate, batch, seconds)
    figures = Figures(row="", kind="rate", offered=rate)
    with watch(rig) as watched, rig.child("tests.bench.http_load", plan) as load:
        starts_at = float(load.hear(PATIENCE + plan.requests * batch / 10_000)["starts_at"])
        watched.meter.mark()
        report = load.hear(seconds + 2 * PATIENCE)
        _note_answers(figures, report, batch)
        watched.finish(DRAIN, generator=report["cpu"])
        judge(figures, watched, starts_at, seconds)
    figures.problems += counts(rig, figures.events, filled)
    return figures


def _led(rig: Rig, send: Callable[[], object]) -> Filled:
    """Send what comes before the row, and wait until it is applied."""
    before = sum(rig.view().ends().values())
    send()
    rig.wait_applied()
    events = sum(rig.view().ends().values()) - before
    return Filled(log=events, statistics=events)


def _posts(rig: Rig, rate: int, batch: int, seconds: float, *, seed: int = 1) -> http_load.Plan:
    return http_load.Plan(
        port=rig.ports.web_port,
        connections=CONNECTIONS,
        requests=int(rate * seconds) // batch,
        rate=rate / batch,
        batch=batch,
        seed=seed,
    )


def _note_answers(figures: Figures, report: dict[str, Any], batch: int) -> None:
    figures.notes |= {
        "batch": batch,
        "generator_late_p99_ms": round(report["late_p99"] * 1000, 2),
        "statuses": report["statuses"],
    }
    if report["answer"]:
        figures.latency["answered"] = {"all": msgspec.convert(report["answer"], Quantiles)}
    # Refused for want of room is a figure; refused for what it is would be our mistake.
    strange = set(report["statuses"]) - {"202", "429", "503", "0"}
    if strange:
        figures.problems.append(f"answers {report['statuses']}")
    if report["given_up"]:
        figures.notes["requests_given_up"] = report["given_up"]


def judge(figures: Figures, watched: Watch, starts_at: float, seconds: float) -> None:
    """The figures of a stretch in which events were due from `starts_at` on for `seconds`."""
    last = watched.last_committed()
    figures.events = watched.events
    figures.seconds = round(last - starts_at, 3)
    figures.done = round(watched.events / max(figures.seconds, seconds), 1)
    figures.backlog = round(max(0.0, last - starts_at - seconds), 3)
    join = watched.joined()
    figures.latency |= join.quantiles()
    offered = (figures.offered or 0.0) * seconds
    figures.sustained = figures.backlog < SUSTAINED and watched.events >= 0.99 * offered
    if missing := join.missing():
        figures.problems.append(f"{missing} offsets were not seen to be committed")
    watched.write(figures, watched.events)
