"""What was aimed at on two cores with everything on one machine, and by how much it is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.figures import ENTRIES, Figures

Rows = Mapping[str, Figures]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """`found` takes the figure from the rows, None where they have no such row.

    `least`: the figure must be at least `aim`; else it must be below it.
    """

    name: str
    aim: float
    unit: str
    found: Callable[[Rows], float | None]
    least: bool = False
    goal: bool = False

    def line(self, rows: Rows) -> tuple[str, ...] | None:
        """Target, aim, figure and whether it is met."""
        figure = self.found(rows)
        if figure is None:
            return None
        met = figure >= self.aim if self.least else figure < self.aim
        bound = ">=" if self.least else "<"
        kind = "goal" if self.goal else "required"
        return (
            self.name,
            f"{kind}: {bound} {self.aim:,g} {self.unit}",
            f"{figure:,.1f}",
            "met" if met else "missed",
        )


def _p99(row: str) -> Callable[[Rows], float | None]:
    def found(rows: Rows) -> float | None:
        committed = rows[row].latency.get("committed") if row in rows else None
        return committed["all"].p99 if committed else None

    return found


def _sustained(entry: str, aim: float) -> Callable[[Rows], float | None]:
    """The highest rate that was sustained in each row that tried it, long or short."""

    def found(rows: Rows) -> float | None:
        tried: dict[float, bool] = {}
        for row in rows.values():
            if row.row.startswith((f"rate {entry} ", f"hold {entry} ")) and row.offered:
                tried[row.offered] = tried.get(row.offered, True) and bool(row.sustained)
        if not tried or max(tried) < aim:
            return None
        return max((rate for rate, sustained in tried.items() if sustained), default=0)

    return found


def _cpu(row: str) -> Callable[[Rows], float | None]:
    return lambda rows: rows[row].cpu_total if row in rows and rows[row].cpu else None


def _done(row: str) -> Callable[[Rows], float | None]:
    return lambda rows: rows[row].done if row in rows and rows[row].done else None


def _times(peer: str, row: str = "drain") -> Callable[[Rows], float | None]:
    """How many times as fast as the peer a backlog is drained."""

    def found(rows: Rows) -> float | None:
        ours, theirs = _done(row)(rows), _done(f"peer {peer}")(rows)
        return ours / theirs if ours and theirs else None

    return found


def _reads(rows: Rows) -> float | None:
    found = [row.latency["answered"]["all"].p99 for row in rows.values() if row.kind == "reads"]
    return max(found, default=None)


_MS, _RATE, _US, _TIMES = "ms", "events/s", "us", "times"
TARGETS = (
    *(
        Target(
            name="sustained from Kafka",
            aim=aim,
            unit=_RATE,
            found=_sustained("kafka", aim),
            least=True,
            goal=aim > 10_000,
        )
        for aim in (10_000, 15_000, 20_000)
    ),
    *(
        Target(
            name="sustained from HTTP",
            aim=aim,
            unit=_RATE,
            found=_sustained("http", aim),
            least=True,
            goal=aim > 7_000,
        )
        for aim in (7_000, 10_000)
    ),
    *(
        Target(
            name=f"p99 at {rate:,}/s by {name}, all three",
            aim=aim,
            unit=_MS,
            found=_p99(f"rate {entry} {rate}"),
            goal=goal,
        )
        for rate, aim, goal in (
            (1_000, 50, False),
            (3_000, 50, False),
            (10_000, 100, False),
            (10_000, 50, True),
        )
        for entry, name in ENTRIES.items()
    ),
    *(
        Target(
            name="CPU an event at 10,000/s",
            aim=aim,
            unit=_US,
            found=_cpu("rate kafka 10000"),
            goal=aim < 160,
        )
        for aim in (160, 110)
    ),
    Target(
        name="drain, beside peer (a) plain", aim=8, unit=_TIMES, found=_times("plain"), least=True
    ),
    Target(
        name="drain, beside peer (b) batched",
        aim=1,
        unit=_TIMES,
        found=_times("batched"),
        least=True,
    ),
    Target(
        name="drain of the log alone, beside peer (c) floor",
        aim=0.5,
        unit=_TIMES,
        found=_times("floor", "drain log"),
        least=True,
    ),
    Target(name="strict mode", aim=600, unit=_RATE, found=_done("strict"), least=True, goal=True),
    Target(name="reads, the slowest p99", aim=5, unit=_MS, found=_reads),
)
HEADINGS = ("target", "aim", "found", "result")


def lines(rows: Sequence[Figures]) -> list[tuple[str, ...]]:
    """The targets of which the rows tell something."""
    by_name = {row.row: row for row in rows if not row.problems}
    return [found for target in TARGETS if (found := target.line(by_name)) is not None]
