"""One seed of one row, from the first event to the verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import psycopg2
import redis
from confluent_kafka import KafkaException

from gamemetrics.stack.processes import wait_until
from tests.faults.applications import BRIDGES, WORKERS
from tests.faults.client import Client, Told
from tests.faults.drain import drain
from tests.faults.oracle import Excuse, Verdict, judge, mark
from tests.faults.oracle_cache import Readers
from tests.faults.pace import BEFORE, Pace
from tests.faults.reader import Reader
from tests.faults.rig import Rig
from tests.faults.row import Row
from tests.faults.scene import Scene
from tests.faults.stream import Stream, stream
from tests.faults.topic import Topic
from tests.rigs.processes import NotRunning
from tests.rigs.web_probe import declare_best

DRAIN_SECONDS: Final = 90.0
AT_WORK_SECONDS: Final = 60.0
# Of a row's own doing, while everything around it is being broken.
FAILURES: Final = (NotRunning, OSError, psycopg2.Error, redis.RedisError, KafkaException)
# After the last fault, for what is not confirmed yet.
CONFIRM_SECONDS: Final = 60.0


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What one seed of one row came to."""

    row: str
    seed: int
    events: int
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    lost: int = 0
    doubled: int = 0
    repeats: int = 0
    recovery: float = 0.0
    fault: float = 0.0
    took: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.problems


def run_seed(rig: Rig, topic: Topic, row: Row, *, seed: int, events: int) -> Outcome:
    """Run it; once on a rig, since a second run would send the same ids."""
    began = time.monotonic()
    name = f"row{row.number}-seed{seed}"
    outcome = Outcome(row=row.number, seed=seed, events=events)
    rig.heal()
    rig.route(row.proxied)
    # Else the first fault would strike who is not at work yet.
    behind = drain(rig.postgres, topic, DRAIN_SECONDS)
    if behind or (idle := _not_at_work(rig, topic)):
        outcome.problems.append(f"before it began, not drained or not at work: {behind or idle}")
        return outcome
    made = stream(name, events, Random(f"{name}/events"))
    port = next(iter(rig.web_ports.values()))
    declare_best(port, rig.credentials.management_key, made.board_game)
    with rig.postgres.cursor() as cursor:
        before = mark(cursor, topic.id())
    pace = Pace(total=len(made.order), seconds=row.seconds)
    # Apart, so that no draw depends on which thread comes first.
    client = Client(
        stream=made,
        ports=list(rig.web_ports.values()),
        pace=pace,
        chance=Random(f"{name}/client"),
    )
    reader = Reader(stream=made, ports=client.ports, chance=Random(f"{name}/reader"))
    scene = Scene(rig=rig, client=client, topic=topic, chance=Random(f"{name}/fault"))
    client.start()
    reader.start()
    lifted = _strike(row, scene)
    outcome.fault = lifted - (pace.fault_began or lifted)
    client.finish(CONFIRM_SECONDS)
    _await_drain(outcome, scene, lifted)
    for check in scene.after:
        check()
    reader.finish()
    if idle := _not_at_work(rig, topic):
        outcome.problems.append(f"not at work again: {idle}")
    verdict = _judge(rig, made, client, before, scene.excuse)
    outcome.lost, outcome.doubled = verdict.lost, verdict.doubled
    outcome.problems += [*scene.problems, *client.surprises, *verdict.problems]
    outcome.notes = scene.notes
    _count(outcome, client)
    outcome.notes["reads"] = reader.statuses["200"]
    if not reader.statuses["200"]:
        outcome.problems.append(f"no read was answered: {dict(reader.statuses)}")
    outcome.took = time.monotonic() - began
    return outcome


def _not_at_work(rig: Rig, topic: Topic) -> str:
    """Who is not at work within 60 s, else nothing."""

    def idle() -> str:
        workers, members = rig.broker.waiting_workers(), topic.members()
        if workers == len(WORKERS) and members == len(BRIDGES):
            return ""
        return f"{workers} workers wait for messages, {members} bridges have their partitions"

    return "" if wait_until(lambda: not idle(), seconds=AT_WORK_SECONDS, every=0.2) else idle()


def _strike(row: Row, scene: Scene) -> float:
    """Have the fault happen when a fifth is sent; when it was lifted."""
    client = scene.client
    if not wait_until(lambda: client.sent >= BEFORE * 0.95, seconds=60, every=0.01):
        scene.problems.append("a fifth of the events could not be sent before the fault")
    client.pace.fault_began = time.monotonic()
    try:
        row.fault(scene)
    except FAILURES as error:
        scene.problems.append(f"the fault could not be staged: {error!r}")
    finally:
        scene.rig.heal()
        client.pace.fault_over = True
    return time.monotonic()


def _await_drain(outcome: Outcome, scene: Scene, lifted: float) -> None:
    since = max(lifted, scene.client.confirmed_at)
    left = DRAIN_SECONDS - (time.monotonic() - since)
    behind = drain(scene.rig.postgres, scene.topic, max(1.0, left))
    outcome.recovery = max(0.0, time.monotonic() - since)
    if behind:
        outcome.problems.append(f"not drained within {DRAIN_SECONDS:g} s: {behind}")


def _judge(rig: Rig, made: Stream, client: Client, before: Any, excuse: Excuse) -> Verdict:
    with rig.postgres.cursor() as cursor:
        verdict = judge(cursor, made, bytes(client.told), before, excuse)
        port = next(iter(rig.web_ports.values()))
        Readers(cache=rig.cache.client(), port=port, verdict=verdict).judge(cursor, made)
    return verdict


def _count(outcome: Outcome, client: Client) -> None:
    outcome.ok = client.count(Told.OK)
    outcome.failed = client.count(Told.FAILED)
    outcome.unknown = client.count(Told.UNKNOWN)
    outcome.repeats = client.repeats
    outcome.statuses = dict(client.statuses)
    outcome.notes["lost_answers"] = client.lost_answers
    outcome.notes["slowest_answer"] = round(client.slowest, 2)
    if client.count(Told.NOTHING):
        outcome.problems.append(f"{client.count(Told.NOTHING)} events were never sent")
