"""What a run tells at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.columns import Columns
from rich.console import Console
from rich.table import Table

from apps.demo.boards import Rank
from apps.demo.latency import Histogram, pooled
from apps.demo.session import Measured
from apps.demo.stack_env import StackEnv

QUANTILES: Final = (0.5, 0.95, 0.99)


def console() -> Console:
    """Standard output; wide enough for two tables abreast where no terminal says its width."""
    found = Console()
    return found if found.is_terminal else Console(width=120)


def summary(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, value)
    return table


def latencies(measured: Measured, note: str) -> Table:
    """Accept to commit, of each consumer and of all three together."""
    table = Table(title="latency, accepted to committed", caption=note, title_justify="left")
    table.add_column("consumer")
    for heading in ("events", *(f"p{q * 100:.0f}" for q in QUANTILES)):
        table.add_column(heading, justify="right")
    rows = {str(name): histogram for name, histogram in measured.latencies.items()}
    rows["all three"] = pooled(measured.latencies.values())
    for name, histogram in rows.items():
        cells = (_milliseconds(histogram, q) for q in QUANTILES)
        table.add_row(name, f"{histogram.total:,}", *cells)
    return table


def ranking(title: str, score: str, total: int, entries: Sequence[Rank]) -> Table:
    """The first places of a board; equal scores stand in the order in which they were reached."""
    table = Table(title=title, caption=f"of {total:,} players", title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("player")
    table.add_column(score, justify="right")
    table.add_column("reached (UTC)", justify="right")
    for place, entry in enumerate(entries, start=1):
        table.add_row(
            str(place), entry.player_id, f"{entry.score:f}", f"{entry.achieved_at:%H:%M:%S}"
        )
    return table


def show(console: Console, *tables: Table) -> None:
    """Beside each other where there is room."""
    console.print(Columns(tables, padding=(0, 3)))


def urls(console: Console, env: StackEnv) -> None:
    lines = [f"  API     {env.api_url}/api/docs"]
    if env.admin_url:
        lines.append(f"  admin   {env.admin_url}  (user {env.admin_user})")
    if env.flower_url:
        lines.append(f"  Flower  {env.flower_address}")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def problems(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(f"  differs: {line}", style="red", markup=False, soft_wrap=True)


def _milliseconds(histogram: Histogram, q: float) -> str:
    seconds = histogram.quantile(q)
    return "unknown" if seconds is None else f"{seconds * 1000:,.0f} ms"
