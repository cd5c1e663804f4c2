"""Other ways to do the same work, measured on the same servers: what a peer is given and returns.

A module in this package is a peer if it has

    NAME: str                 what the table calls it
    JOBS: tuple[str, ...]     of "logging", "stats" and "leaderboards", those that it does
    def run(rig: BenchRig, events: int) -> PeerResult

`run` consumes the `events` messages that lie in `rig.topic`, does its jobs in a database of its
own, and returns when all of it is committed. It starts whatever processes it needs and has waited
for them to end when it returns.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerResult:
    """What one peer came to.

    `seconds` run from the start of consuming to the last commit, without the start of processes.
    `cpu` are CPU seconds in the same time by process group, as two calls of `rig.cpu()` differ.
    `note` is empty, or what a reader must know, in one sentence.
    """

    events: int
    seconds: float
    cpu: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


class BenchRig(Protocol):
    """The stack as a peer sees it: the application's own processes are stopped meanwhile."""

    @property
    def servers(self) -> str:
        """Kafka's bootstrap servers."""

    @property
    def topic(self) -> str:
        """The topic, of `player.events.raw`'s number of partitions and message format."""

    def backlog(self, events: int) -> Mapping[int, tuple[int, int]]:
        """The `[first, next)` offsets by partition of exactly `events` messages in the topic.

        They are produced if they are not there yet, so before the time that is measured.
        """

    def peer_database(self, name: str) -> AbstractContextManager[str]:
        """The URL of an empty database on the same PostgreSQL, dropped at the end of the block.

        Its role owns it and may create schemas, tables and indexes; same server, same settings.
        """

    def cpu(self) -> Mapping[str, float]:
        """CPU seconds used so far, by process group.

        `postgres` (all backends, ended ones too), `kafka`, `redis`; `peer` are the processes that
        this process started for the peer, ended ones too once they were waited for; `harness` is
        this process itself, where a peer that runs inside of it is found.
        """


class Peer(Protocol):
    """A module of this package."""

    NAME: str
    JOBS: tuple[str, ...]

    def run(self, rig: BenchRig, events: int) -> PeerResult:
        """Do the jobs for `events` messages of the topic."""


def peers() -> dict[str, Peer]:
    """Every peer by its module's name, in the order of the names."""
    modules: dict[str, Any] = {
        found.name: importlib.import_module(f"{__name__}.{found.name}")
        for found in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name)
    }
    return {
        name: cast(Peer, module)
        for name, module in modules.items()
        if hasattr(module, "NAME") and hasattr(module, "run")
    }
