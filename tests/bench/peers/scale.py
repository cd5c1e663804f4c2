"""The product scaled out: two bridges and two workers a queue, against one of each.

The same backlog is drained into databases of their own by one of each and by two. The row has the
figures of two; its note has those of one beside them, and says whether the totals are equal. A long
backlog is drained four times, by one, two, two and one of each, since a virtual machine is another
after a minute. On a machine of two cores the second of each finds no core of its own: what the row
shows is that sharing the work costs no throughput and no total, not what more machines would give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tests.bench.peer_work.product import Drained, drained
from tests.bench.peer_work.truth import problems_of
from tests.bench.peers import BenchRig, PeerResult

NAME: Final = "gamemetrics, 2 bridges and 2 workers a queue"
JOBS: Final = ("logging", "stats", "leaderboards")
# A shorter backlog is drained in the time that the last position takes to be written, so that twice
# tells no more than once.
LONG: Final = 50_000


def run(rig: BenchRig, events: int) -> PeerResult:
    """A result of no events, with the reason, where one drained it all before two shared it."""
    ranges = rig.backlog(events)
    turns = (1, 2, 2, 1) if events >= LONG else (1, 2)
    runs: dict[int, list[Drained]] = {1: [], 2: []}
    wrong, asked = "", None
    for turn, each in enumerate(turns):
        one = drained(rig, ranges, name=f"scale_{turn}_of_{each}", each=each)
        asked = asked or one.totals
        wrong = wrong or problems_of(asked, one.totals)
        runs[each].append(replace(one, totals={}))
    ones, twos = runs[1], runs[2]
    note = f"totals differ from those of one: {wrong}" if wrong else "same totals as one"
    if not all(one.events for one in [*ones, *twos]):
        note = f"{note}; all {events:,} were drained before both bridges were at work"
        return PeerResult(events=0, seconds=0.0, note=note)
    measured = sum(two.events for two in twos)
    cpu: Counter[str] = Counter()
    for two in twos:
        cpu.update(two.cpu)
    # As if all of the backlog had been drained at the pace that was measured.
    return PeerResult(
        events=events,
        seconds=sum(two.seconds for two in twos) * events / measured,
        cpu={group: seconds * events / measured for group, seconds in cpu.items()},
        note=f"{note}; one of each {_told(ones)}, two {_told(twos)}",
    )


def _told(runs: Sequence[Drained]) -> str:
    """Pace and cost of each run, and of how many events they are."""
    paces = " and ".join(f"{one.events / one.seconds:,.0f}" for one in runs)
    costs = " and ".join(f"{_cost(one):.0f}" for one in runs)
    least = min(one.events for one in runs)
    return f"{paces} events/s at {costs} us (the last {least:,.0f} events)"


def _cost(drained: Drained) -> float:
    """CPU an event in microseconds, without the harness."""
    used = sum(seconds for group, seconds in drained.cpu.items() if group != "harness")
    return used / drained.events * 1e6
