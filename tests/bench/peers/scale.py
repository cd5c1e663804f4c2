"""The product scaled out: two bridges and two workers a queue, against one of each.

The same backlog is drained twice into databases of their own, first by one of each. The row has
the figures of two; its note has those of one beside them, and says whether the totals are equal.
On a machine of two cores the second of each finds no core of its own: what the row shows is that
sharing the work costs no throughput and no total, not what more machines would give.
"""

from __future__ import annotations

from typing import Final

from tests.bench.peer_work.product import Drained, drained
from tests.bench.peer_work.truth import problems_of
from tests.bench.peers import BenchRig, PeerResult

NAME: Final = "gamemetrics, 2 bridges and 2 workers a queue"
JOBS: Final = ("logging", "stats", "leaderboards")


def run(rig: BenchRig, events: int) -> PeerResult:
    """A result of no events, with the reason, where one drained it all before two shared it."""
    ranges = rig.backlog(events)
    one = drained(rig, ranges, name="scale_one", each=1)
    two = drained(rig, ranges, name="scale_two", each=2)
    wrong = problems_of(one.totals, two.totals)
    note = f"totals differ from those of one: {wrong}" if wrong else "same totals as one"
    if not two.events or not one.events:
        note = f"{note}; all {events:,} were drained before both bridges were at work"
        return PeerResult(events=0, seconds=0.0, note=note)
    # As if all of the backlog had been drained at the pace that was measured.
    whole = events / two.events
    return PeerResult(
        events=events,
        seconds=two.seconds * whole,
        cpu={group: seconds * whole for group, seconds in two.cpu.items()},
        note=f"{note}; one of each {_told(one)}, two {_told(two)}",
    )


def _told(drained: Drained) -> str:
    cost = sum(seconds for group, seconds in drained.cpu.items() if group != "harness")
    pace = drained.events / drained.seconds
    return f"{pace:,.0f} events/s at {cost / drained.events * 1e6:.0f} us"
