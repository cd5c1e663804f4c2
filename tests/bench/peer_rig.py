"""The rig as a peer is given it: see tests.bench.peers.BenchRig."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.bench import cpu, database
from tests.bench.rig import Rig
from tests.rigs.processes import NotRunning


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerRig:
    """A rig whose own processes are stopped."""

    rig: Rig

    @property
    def servers(self) -> str:
        return self.rig.servers

    @property
    def topic(self) -> str:
        return self.rig.topic

    def backlog(self, events: int) -> Mapping[int, tuple[int, int]]:
        """See BenchRig. Raises NotRunning where the topic has other messages."""
        ends: Mapping[int, int] = self.rig.view().ends()
        if not any(ends.values()):
            ends = self.rig.produce(events)
        if sum(ends.values()) != events:
            raise NotRunning(f"{self.topic} has {sum(ends.values())} messages, not {events}")
        return {partition: (0, end) for partition, end in ends.items()}

    @contextmanager
    def peer_database(self, name: str) -> Iterator[str]:
        with database.another(self.rig.postgres, f"peer_{name}") as url:
            yield url

    def cpu(self) -> Mapping[str, float]:
        return cpu.with_harness(self.rig.roots())

    def end_strays(self) -> None:
        """Kill what a peer that failed has left running."""
        for pid in cpu.strays(self.rig.roots()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
