"""The cost of one event, and what a rate needs by it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

COSTS_FILE: Final = Path(__file__).with_name("scaling_costs.json")
TABLES: Final = "drain of 60,000 events, 10,000 players, one game"
ASSUMED: Final = "assumed"


class Parameter(NamedTuple):
    """One figure that the rest is computed from."""

    value: float
    unit: str
    meaning: str
    source: str


# CPU by process group: the names of `cpu` in `.stack/bench.json`. The figures are in COSTS_FILE,
# and beside them `wal`, all consumers' together.
PARTS: Final = {
    "bridge": "bridge",
    "worker-logging": "worker, logging",
    "worker-stats": "worker, stats",
    "worker-leaderboards": "worker, leaderboards",
    "postgres": "PostgreSQL, all backends",
    "kafka": "Kafka",
    "redis": "Redis, queues and cache",
}
SIZES: Final[dict[str, Parameter]] = {
    "message": Parameter(300, "bytes/event", "a message on the topic, before lz4", TABLES),
    "stored": Parameter(65, "bytes/event", "the same on a broker's disk, lz4", TABLES),
    "log": Parameter(261, "bytes/event", "`events` with its indexes", TABLES),
    "ledgers": Parameter(155, "bytes/event", "the two other applied-event ledgers", TABLES),
    "player": Parameter(356, "bytes/player", "a player's statistics in Redis", TABLES),
    "entry": Parameter(241, "bytes/entry", "an entry of a board in Redis", TABLES),
}
LIMITS: Final[dict[str, Parameter]] = {
    "busy": Parameter(0.6, "of a core", "what a process may be busy for", ASSUMED),
    "postgres_cores": Parameter(32, "cores", "of one PostgreSQL primary", ASSUMED),
    "postgres_wal": Parameter(200, "MB/s", "WAL that a primary writes and ships", ASSUMED),
    "broker_in": Parameter(100, "MB/s", "that a broker takes in, copies included", ASSUMED),
    "copies": Parameter(3, "copies", "of each record in Kafka", "k8s/README.md"),
}
KINDS: Final = ("logging", "stats", "leaderboards")


class Model(NamedTuple):
    """The parameters in use."""

    costs: Mapping[str, Parameter]
    sizes: Mapping[str, Parameter]
    limits: Mapping[str, Parameter] = LIMITS

    def cores(self, part: str, rate: float) -> float:
        """Cores that are busy with it."""
        return rate * self.costs[part].value / 1e6

    def processes(self, part: str, rate: float) -> int:
        """Single-threaded processes that share the rate."""
        return max(1, math.ceil(self.cores(part, rate) / self.limits["busy"].value))

    def megabytes(self, size: str, rate: float) -> float:
        """MB a second."""
        return rate * self.sizes[size].value / 1e6

    def most(self, part: str, cores: float = 1.0) -> float:
        """Events a second at which so many cores are as busy as they may be."""
        return cores * self.limits["busy"].value * 1e6 / self.costs[part].value

    def wal_most(self) -> float:
        return self.limits["postgres_wal"].value * 1e6 / self.sizes["wal"].value

    def primary_most(self) -> float:
        """Events a second of one PostgreSQL primary: by its cores or by its WAL."""
        return min(self.most("postgres", self.limits["postgres_cores"].value), self.wal_most())

    def primaries(self, rate: float) -> int:
        return max(1, math.ceil(rate / self.primary_most()))

    def workers(self, rate: float) -> int:
        return max(self.processes(f"worker-{kind}", rate) for kind in KINDS)

    def partitions(self, rate: float) -> int:
        """One a worker of the slowest queue at least, doubled for growth, in threes."""
        wanted = 2 * max(self.processes("bridge", rate), self.workers(rate))
        return max(3, 3 * math.ceil(wanted / 3))

    def brokers(self, rate: float) -> int:
        copied = self.megabytes("message", rate) * self.limits["copies"].value
        return max(3, math.ceil(copied / self.limits["broker_in"].value))


def model_of_file() -> Model:
    """With the costs of COSTS_FILE: `{"<part>": {"us": <number>, "from": "<source>"}}`, and
    `{"wal": {"bytes": <number>, "from": "<source>"}}`."""
    kept = json.loads(COSTS_FILE.read_text())
    wal = Parameter(kept["wal"]["bytes"], "bytes/event", "WAL", kept["wal"]["from"])
    return Model(
        costs={
            part: Parameter(kept[part]["us"], "us/event", meaning, kept[part]["from"])
            for part, meaning in PARTS.items()
        },
        sizes={"wal": wal, **SIZES},
    )


def costs_of(result: Mapping[str, Any], row: str) -> dict[str, dict[str, Any]]:
    """What COSTS_FILE says by a row of the benchmark's result. Raises KeyError, StopIteration."""
    found = next(one for one in result["rows"] if one["row"] == row)
    source = f"`make bench`, {row}, {result['commit']}"
    costs = {part: {"us": found["cpu"][part], "from": source} for part in PARTS}
    return {**costs, "wal": {"bytes": found["wal"], "from": source}}


def connections(model: Model, rate: float) -> int:
    """A worker has one; a bridge two: its ledger, and the dispatcher of dead letters."""
    workers = sum(model.processes(f"worker-{kind}", rate) for kind in KINDS)
    return workers + 2 * model.processes("bridge", rate)
