"""All rows, in the order in which they are run."""

from __future__ import annotations

from tests.bench.row import Row
from tests.bench.rows import drain, growth, http, peers, rate, reads, rebuild, soak
from tests.bench.sizes import Sizes


def rows(sizes: Sizes) -> list[Row]:
    """The rows of every run."""
    return [
        drain.drain(sizes.drain_events),
        drain.logging_alone(sizes.drain_events),
        # Beside the drains that they are compared with: half an hour later the machine is another.
        *peers.rows(sizes.peer_events),
        *rate.rates("kafka", sizes.kafka_rates, sizes.rate_seconds, lead=sizes.lead_seconds),
        *rate.rates("single", sizes.single_rates, sizes.rate_seconds, lead=sizes.lead_seconds),
        *rate.held(sizes.held_rates, sizes.held_seconds, lead=sizes.lead_seconds),
        *rate.rates("http", sizes.http_rates, sizes.rate_seconds, lead=sizes.lead_seconds),
        *http.alone(sizes.connections, sizes.http_seconds),
        *reads.reads(sizes.board_players, sizes.read_seconds, lead=sizes.lead_seconds),
        *rebuild.rebuilds(sizes.rebuild_events),
        # Last: its other setting has all of our processes start anew.
        drain.strict(sizes.strict_events),
    ]


def long_rows(sizes: Sizes, *, growing: bool, soaking: bool) -> list[Row]:
    """The rows that are asked for by name, since they take an hour each."""
    return [
        *(growth.growth(sizes) if growing else ()),
        *([soak.soak(sizes.soak_rate, sizes.soak_seconds)] if soaking else ()),
    ]


def chosen(rows: list[Row], names: list[str]) -> list[Row]:
    """Those whose name begins with one of `names`; all where there are none."""
    return [row for row in rows if not names or any(_begins(row.name, name) for name in names)]


def _begins(name: str, asked: str) -> bool:
    return f"{name} ".startswith(f"{asked} ")
