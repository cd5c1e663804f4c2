"""Reads of a board with many players, at a steady rate: an open loop, as with events."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from gamemetrics.stack.processes import wait_until
from tests.bench import fill, http_load
from tests.bench.events import game, player
from tests.bench.figures import Figures, Quantiles
from tests.bench.meter import Meter
from tests.bench.rig import APPLICATIONS, PATIENCE, Rig
from tests.bench.row import Row
from tests.rigs.processes import NotRunning

RATE: Final = 200  # requests a second
CONNECTIONS: Final = 8
PATHS: Final = 2_000  # different ones, in turn
# The first read of a board that is not in Redis builds it there.
BUILD_SECONDS: Final = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One kind of read; `path` is given the dice and the number of players.

    `of_board`: the first one has the board's order built in Redis.
    """

    name: str
    path: Callable[[random.Random, int], str]
    of_board: bool = True


def _top(dice: random.Random, players: int) -> str:
    return f"/api/v1/leaderboards/{game(0)}/default?limit=25"


def _statistics(dice: random.Random, players: int) -> str:
    return f"/api/v1/players/{player(dice.randrange(players))}/stats?game_id={game(0)}"


def _place(around: int) -> Callable[[random.Random, int], str]:
    def path(dice: random.Random, players: int) -> str:
        drawn = player(dice.randrange(players))
        return f"/api/v1/leaderboards/{game(0)}/default/players/{drawn}?around={around}"

    return path


# A further one is a further line.
READS: Final = (
    Read(name="top-25", path=_top),
    Read(name="rank", path=_place(0)),
    Read(name="around-me", path=_place(5)),
    Read(name="statistics", path=_statistics, of_board=False),
)


def reads(players: int, seconds: float, *, lead: float) -> list[Row]:
    """A row for each kind of read; for `lead` seconds before it the same is read uncounted, as the
    threads of a web process that has run for a while have their connections."""
    return [
        Row(
            name=f"reads {read.name}",
            shows=f"{RATE} reads/s of {read.name} in a game of {players:,} players",
            measure=partial(measured, read=read, players=players, seconds=seconds, lead=lead),
            limit=900,
        )
        for read in READS
    ]


def measured(rig: Rig, *, read: Read, players: int, seconds: float, lead: float) -> Figures:
    """Fill the board by SQL, build it in Redis by the first read, then read."""
    rig.ready()
    filling = time.monotonic()
    fill.board(rig, players)
    filled = time.monotonic()
    dice = random.Random(1)
    paths = [read.path(dice, players) for _ in range(PATHS)]
    figures, meter = Figures(row="", kind="reads", offered=RATE), Meter(rig=rig)
    first = _first(rig, paths[0])
    building = time.monotonic()
    if read.of_board and not wait_until(lambda: _built(rig), seconds=BUILD_SECONDS, every=0.1):
        raise NotRunning(f"the board was not in Redis within {BUILD_SECONDS:g} s")
    built = time.monotonic()
    rig.run(*APPLICATIONS)
    rig.request(_plan(rig, paths, lead), lead)
    plan = _plan(rig, paths, seconds)
    with rig.child("tests.bench.http_load", plan) as load:
        load.hear(PATIENCE)
        meter.mark()
        report = load.hear(seconds + PATIENCE)
        meter.read(generator=report["cpu"])
    figures.seconds = round(max(seconds, report["seconds"]), 3)
    figures.done = round(report["answered"] / figures.seconds, 1)
    if report["answer"]:
        figures.latency["answered"] = {"all": msgspec.convert(report["answer"], Quantiles)}
    figures.notes |= {
        "players": players,
        "filling_seconds": round(filled - filling, 1),
        "first_read_seconds": round(first, 3),
        "building_seconds": round(built - building, 1),
        "generator_late_p99_ms": round(report["late_p99"] * 1000, 2),
        "note": f"first read {first:.2f} s",
    }
    meter.write(figures, report["answered"])
    if set(report["statuses"]) != {"200"}:
        figures.problems.append(f"answers {report['statuses']}")
    return figures


def _plan(rig: Rig, paths: list[str], seconds: float) -> http_load.Plan:
    return http_load.Plan(
        port=rig.ports.web_port,
        connections=CONNECTIONS,
        requests=int(RATE * seconds),
        rate=RATE,
        paths=paths,
    )


def _built(rig: Rig) -> bool:
    """Whether Redis has an order of the board, complete, and none is being built."""
    with rig.redis() as client:
        orders = list(client.scan_iter("lb:*:player"))
        return bool(orders) and all(client.hget(order, "") == b"complete" for order in orders)


def _first(rig: Rig, path: str) -> float:
    """Seconds of a read that finds Redis empty. Raises NotRunning, ChildFailed."""
    plan = http_load.Plan(
        port=rig.ports.web_port,
        connections=1,
        requests=1,
        rate=1,
        paths=[path],
        patience=BUILD_SECONDS,
    )
    report = rig.request(plan, BUILD_SECONDS)
    if report["statuses"] != {"200": 1}:
        raise NotRunning(f"the first read was answered {report['statuses']}")
    return float(report["seconds"])
