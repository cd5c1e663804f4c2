"""Other ways to do the same work: same events, same broker, same settings of PostgreSQL."""

from __future__ import annotations

from functools import partial
from typing import Final

from gamemetrics.stack.run_state import DEFAULT_TOPIC
from tests.bench.figures import Figures
from tests.bench.peer_rig import PeerRig
from tests.bench.peers import Peer, peers
from tests.bench.rig import Rig
from tests.bench.row import Row

TOPIC: Final = "bench.peers"
PARTITIONS: Final = 3


def rows(events: int) -> list[Row]:
    """A row for each module of tests.bench.peers."""
    return [
        Row(
            name=f"peer {name}",
            shows=f"{peer.NAME}: {events:,} events in Kafka, jobs: {', '.join(peer.JOBS)}",
            measure=partial(measured, peer=peer, events=events),
        )
        for name, peer in peers().items()
    ]


def measured(rig: Rig, *, peer: Peer, events: int) -> Figures:
    """Our own processes are stopped meanwhile."""
    rig.run()
    rig.use_topic(TOPIC, PARTITIONS)
    given = PeerRig(rig=rig)
    try:
        given.backlog(events)
        result = peer.run(given, events)
    finally:
        given.end_strays()
        rig.use_topic(DEFAULT_TOPIC, PARTITIONS)
    figures = Figures(row="", kind="peer", events=result.events, seconds=round(result.seconds, 3))
    figures.notes |= {"name": peer.NAME, "jobs": list(peer.JOBS)}
    if result.note:
        figures.notes["note"] = result.note
    if not result.events:
        return figures  # it does not run here, and the note says why
    figures.done = round(result.events / result.seconds, 1)
    figures.cpu = {
        group: round(seconds / result.events * 1e6, 2) for group, seconds in result.cpu.items()
    }
    # A peer that works inside this process and one that does not are told in one column.
    figures.cpu["peer"] = figures.cpu.get("peer", 0.0) + figures.cpu.pop("harness", 0.0)
    if result.events != events:
        figures.problems.append(f"{result.events} of {events} events")
    return figures
