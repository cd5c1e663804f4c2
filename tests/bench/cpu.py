"""CPU time by process group, from /proc: what a process and all it started have used so far."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
TICK: Final = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """One process of /proc: its parent, and CPU seconds of itself and of ended children."""

    parent: int
    own: float
    ended: float


def usages() -> dict[int, Usage]:
    """Every process by its pid."""
    found = {}
    for entry in PROC.glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue  # it ended meanwhile
        # After the name, which may hold spaces: state, ppid, ...; utime is field 14 of proc(5).
        fields = stat.rpartition(")")[2].split()
        ticks = [int(value) for value in fields[11:15]]
        found[int(entry.name)] = Usage(
            parent=int(fields[1]),
            own=(ticks[0] + ticks[1]) * TICK,
            ended=(ticks[2] + ticks[3]) * TICK,
        )
    return found


def trees(known: Mapping[int, Usage], roots: Mapping[str, int]) -> dict[str, list[int]]:
    """The pids of each group: its root and all that descend from it."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, usage in known.items():
        children[usage.parent].append(pid)
    found: dict[str, list[int]] = {}
    for name, root in roots.items():
        pids = [root] if root in known else []
        for pid in pids:
            pids += children[pid]
        found[name] = pids
    return found


def by_group(roots: Mapping[str, int], moved: Mapping[int, str] | None = None) -> dict[str, float]:
    """CPU seconds of each group so far; `moved` are single processes of another group.

    PostgreSQL's backends are children of its first process, so an ended one still counts.
    """
    known = usages()
    used: dict[str, float] = dict.fromkeys(roots, 0.0)
    for name, pids in trees(known, roots).items():
        for pid in pids:
            group = (moved or {}).get(pid, name)
            used[group] = used.get(group, 0.0) + known[pid].own + known[pid].ended
    return used


def machine_busy() -> float:
    """CPU seconds that all processes of the machine have used, kernel and steal included."""
    line = (PROC / "stat").read_text().partition("\n")[0]
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds by group between two snapshots."""
    return {name: max(0.0, after[name] - before.get(name, 0.0)) for name in after}


def with_harness(roots: Mapping[str, int]) -> dict[str, float]:
    """`by_group`, with this process as `harness` and whatever else it started as `peer`."""
    known = usages()
    mine = known[os.getpid()]
    used = by_group(roots)
    others = [known[pid] for pid in strays(roots) if pid in known]
    used["harness"] = mine.own
    used["peer"] = mine.ended + sum(usage.own + usage.ended for usage in others)
    return used


def strays(roots: Mapping[str, int]) -> list[int]:
    """What descends from this process and belongs to none of the groups."""
    known = usages()
    grouped = {pid for pids in trees(known, roots).values() for pid in pids}
    (started,) = trees(known, {"": os.getpid()}).values()
    return [pid for pid in started if pid not in grouped and pid != os.getpid()]


def own() -> float:
    """CPU seconds of this process alone."""
    return sum(os.times()[:2])
