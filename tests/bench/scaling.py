"""The tables and the picture of `docs/scaling.md`, computed from the cost of one event.

`python -m tests.bench.scaling` writes them; `--bench .stack/bench.json --row "rate kafka 10000"`
first takes the CPU of one event from that row.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.bench.marks import between
from tests.bench.scaling_model import COSTS_FILE, KINDS, Model, connections, costs_of, model_of_file
from tests.bench.scaling_picture import Bar, picture

DOCUMENT: Final = PROJECT_ROOT / "docs" / "scaling.md"
PICTURE: Final = PROJECT_ROOT / "docs" / "images" / "scaling.svg"
RATES: Final = (10_000, 100_000, 1_000_000)
DAY: Final = 86_400  # seconds
WEEK: Final = 7 * DAY


def parameters(model: Model) -> Iterator[Sequence[str]]:
    yield "Parameter", "Value", "Unit", "From"
    for group in (model.costs, model.sizes, model.limits):
        for one in group.values():
            yield one.meaning, f"{one.value:,g}", one.unit, one.source


def needs(model: Model) -> Iterator[Sequence[str]]:
    yield "", *(f"{rate:,}/s" for rate in RATES)

    def row(name: str, values: Iterator[str]) -> Sequence[str]:
        return name, *values

    copies = model.limits["copies"].value
    yield row("bridges", (f"{model.processes('bridge', rate)}" for rate in RATES))
    for kind in KINDS:
        part = f"worker-{kind}"
        yield row(f"workers, {kind}", (f"{model.processes(part, rate)}" for rate in RATES))
    yield row("Kafka partitions", (f"{model.partitions(rate)}" for rate in RATES))
    yield row("Kafka brokers", (f"{model.brokers(rate)}" for rate in RATES))
    yield row(
        "Kafka in, with copies, before lz4",
        (f"{model.megabytes('message', rate) * copies:,.0f} MB/s" for rate in RATES),
    )
    yield row(
        "Kafka's disks, 7 days, with copies",
        (f"{model.megabytes('stored', rate) * copies * WEEK / 1e6:,.1f} TB" for rate in RATES),
    )
    yield row("PostgreSQL, busy cores", (f"{model.cores('postgres', rate):,.1f}" for rate in RATES))
    yield row("PostgreSQL, WAL", (f"{model.megabytes('wal', rate):,.0f} MB/s" for rate in RATES))
    yield row(
        "`events` a day", (f"{model.megabytes('log', rate) * DAY / 1e6:,.2f} TB" for rate in RATES)
    )
    yield row(
        "other ledgers a day",
        (f"{model.megabytes('ledgers', rate) * DAY / 1e6:,.2f} TB" for rate in RATES),
    )
    yield row("PostgreSQL primaries (cells)", (f"{model.primaries(rate)}" for rate in RATES))
    yield row(
        "connections of bridges and workers",
        (f"{connections(model, rate)}" for rate in RATES),
    )
    yield row("Kafka, busy cores", (f"{model.cores('kafka', rate):,.1f}" for rate in RATES))
    yield row("Redis, busy cores", (f"{model.cores('redis', rate):,.2f}" for rate in RATES))


def memory(model: Model) -> Iterator[Sequence[str]]:
    """Of the cache, where every player of a game has an entry in each of the four periods."""
    yield "Players", "statistics", "board of four periods", "together"
    for players in (100_000, 1_000_000, 10_000_000):
        statistics = players * model.sizes["player"].value / 1e9
        board = players * 4 * model.sizes["entry"].value / 1e9
        cells = (f"{value:,.2f} GB" for value in (statistics, board, statistics + board))
        yield f"{players:,}", *cells


def reach(model: Model) -> list[Bar]:
    """How far one of each goes, the first to break first."""
    cores = model.limits["postgres_cores"].value
    copied = model.sizes["message"].value * model.limits["copies"].value / 3
    bars = [
        *(Bar(f"a worker, {kind}", model.most(f"worker-{kind}"), "process") for kind in KINDS),
        Bar("a bridge", model.most("bridge"), "process"),
        Bar("a Redis for queues and cache", model.most("redis"), "thread"),
        Bar("a primary, by its WAL", model.wal_most(), "server"),
        Bar(f"a primary, {cores:g} cores", model.most("postgres", cores), "server"),
        Bar("three brokers, 3 copies", model.limits["broker_in"].value * 1e6 / copied, "server"),
    ]
    # Two digits: no figure here is better than that.
    rounded = (bar._replace(value=float(f"{bar.value:.1e}")) for bar in bars)
    return sorted(rounded, key=lambda bar: bar.value)


def reached(bars: Sequence[Bar]) -> Iterator[Sequence[str]]:
    yield "One of these", "events/s", "then"
    then = {"process": "one more process", "thread": "two Redis; Cluster", "server": "a cell more"}
    for bar in bars:
        more = "brokers and partitions" if "broker" in bar.name else then[bar.kind]
        yield bar.name, f"{bar.value:,.0f}", more


def markdown(rows: Iterator[Sequence[str]]) -> str:
    heading, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join((heading, "|" + "---|" * (heading.count("|") - 1), *others))


def written(text: str, model: Model) -> str:
    """The document with its tables computed anew, each between its two marks. Raises NoPlace."""
    bars = reach(model)
    tables = {
        "parameters": parameters(model),
        "needs": needs(model),
        "reach": reached(bars),
        "memory": memory(model),
    }
    for name, rows in tables.items():
        mark = f"<!-- computed: {name} -->\n"
        text = between(text, mark, "<!-- end -->", f"{markdown(rows)}\n")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--bench", type=Path, help=".stack/bench.json")
    parser.add_argument("--row", default="rate kafka 10000")
    asked = parser.parse_args()
    if asked.bench:
        costs = costs_of(json.loads(asked.bench.read_text()), asked.row)
        COSTS_FILE.write_text(json.dumps(costs, indent=1) + "\n")
    model = model_of_file()
    DOCUMENT.write_text(written(DOCUMENT.read_text(), model))
    PICTURE.write_text(picture(reach(model)))


if __name__ == "__main__":
    main()
