"""Faults of everything at once, and of many clients at once."""

from __future__ import annotations

import http.client
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from gamemetrics.stack.ports import HOST
from tests.faults.applications import BRIDGES, WEBS, WORKERS
from tests.faults.row import Row
from tests.faults.scene import Scene
from tests.rigs.processes import Process

SERVERS = ("kafka-1", "redis-broker", "redis-cache", "postgres")
BATCH = 250


def everything(scene: Scene) -> None:
    """A random subset is stopped one by one, and released in random order."""
    names = [*SERVERS, *WEBS, *BRIDGES, *WORKERS]
    stopped: list[AbstractContextManager[None]] = []
    struck = scene.chance.sample(names, scene.chance.randint(6, len(names)))
    try:
        for name in struck:
            fault = _fault(scene, scene.rig.processes[name])
            fault.__enter__()
            stopped.append(fault)
            scene.last(0.2, 1.5)
        scene.last(1, 4)
        scene.chance.shuffle(stopped)
    finally:
        while stopped:
            stopped.pop().__exit__(None, None, None)
            scene.last(0.2, 1.5)
    scene.notes["struck"] = struck


def _fault(scene: Scene, process: Process) -> AbstractContextManager[None]:
    """Killed or paused; PostgreSQL's children would work on while it is paused."""
    if process.name.startswith(("postgres", "standby")):
        return process.down(signal.SIGQUIT)
    ways: tuple[Callable[[], AbstractContextManager[None]], ...] = (process.down, process.paused)
    return scene.chance.choice(ways)()


def same_batch(scene: Scene) -> None:
    """Ten clients send the same events at the same moment, several times."""
    events = scene.client.stream.events[:BATCH]
    body = b"[" + b",".join(event.body for event in events) + b"]"
    ports = list(scene.rig.web_ports.values())
    statuses: list[int] = []
    for _ in range(5):
        threads = [
            threading.Thread(target=_post, args=(ports[number % 2], body, statuses))
            for number in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        scene.last(0.5, 1)
    scene.notes["posts"] = len(statuses)
    scene.require(set(statuses) <= {202, 207} and len(statuses) == 50, f"answers {statuses}")
    # The client itself may not have come to them; they are sent now.
    for index in range(BATCH):
        scene.client.note_sent(index)


def _post(port: int, body: bytes, statuses: list[int]) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    connection.request("POST", "/api/v1/events", body, {"Content-Type": "application/json"})
    statuses.append(connection.getresponse().status)
    connection.close()


ROWS = (
    Row(
        number="all",
        title="Everything at once",
        injected="6 to 11 of all 11 processes killed or paused one by one, released in any order",
        expected="",
        seconds=22,
        fault=everything,
    ),
    Row(
        number="same",
        title="Ten connections send the same batch at once",
        injected=f"{BATCH} events, ten times at the same moment, five times over",
        expected="each counts once",
        seconds=6,
        fault=same_batch,
    ),
)
