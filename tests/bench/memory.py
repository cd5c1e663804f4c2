"""Memory by process, from /proc, in MiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.cpu import PROC, trees, usages


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """One process. `shared` is the resident part of shared memory (PostgreSQL's buffers), which
    `rss` counts in every process that touched it and `pss` divides among them; `private` is what
    would be free again if the process ended."""

    group: str
    pid: int
    title: str
    rss: float
    pss: float
    shared: float
    private: float


def by_process(roots: Mapping[str, int]) -> list[Memory]:
    """Every process of the groups that can be read."""
    return [
        found
        for group, pids in trees(usages(), roots).items()
        for pid in pids
        if (found := _of(group, pid)) is not None
    ]


def by_group(processes: list[Memory]) -> dict[str, float]:
    """PSS of each group."""
    totals: dict[str, float] = {}
    for process in processes:
        totals[process.group] = totals.get(process.group, 0.0) + process.pss
    return totals


def _of(group: str, pid: int) -> Memory | None:
    entry = PROC / str(pid)
    try:
        status = _fields((entry / "status").read_text())
        rollup = _fields((entry / "smaps_rollup").read_text())
        title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None  # ended, or another user's
    return Memory(
        group=group,
        pid=pid,
        title=title.strip()[:60],
        rss=rollup.get("Rss", 0) / 1024,
        pss=rollup.get("Pss", 0) / 1024,
        shared=status.get("RssShmem", 0) / 1024,
        private=(rollup.get("Private_Clean", 0) + rollup.get("Private_Dirty", 0)) / 1024,
    )


def _fields(text: str) -> dict[str, int]:
    """The lines `Name: <number> kB`."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith("kB"):
            found[name] = int(rest.split()[0])
    return found
