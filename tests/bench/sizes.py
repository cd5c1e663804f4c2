"""How large the rows are: the whole run, the quick one, and one that only tries the harness."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Events and players are numbers, rates events a second, the rest seconds."""

    drain_events: int
    strict_events: int
    kafka_rates: tuple[int, ...]
    http_rates: tuple[int, ...]
    rate_seconds: float
    lead_seconds: float
    connections: tuple[int, ...]
    http_seconds: float
    board_players: int
    read_seconds: float
    peer_events: int
    rebuild_events: int
    single_rates: tuple[int, ...] = ()
    held_rates: tuple[int, ...] = ()
    held_seconds: float = 60.0
    growth_events: int = 60_000
    growth_log: tuple[int, ...] = (0, 5_000_000, 20_000_000)
    growth_players: tuple[int, ...] = (1_000, 1_000_000)
    growth_copies: tuple[int, ...] = (0, 10_000)
    growth_chunks: tuple[int, ...] = (0, 1_000_000)
    growth_boards: tuple[int, ...] = (1, 200)
    growth_partitions: tuple[int, ...] = (1, 12)
    soak_rate: int = 3_000
    soak_seconds: float = 1_200.0


RATES = (100, 1_000, 3_000, 5_000, 10_000, 15_000, 20_000)
FULL = Sizes(
    drain_events=300_000,
    strict_events=3_000,
    kafka_rates=RATES,
    single_rates=(1_000, 3_000, 10_000),
    # 7,000 is what is aimed at.
    http_rates=tuple(sorted({*RATES, 7_000})),
    rate_seconds=30,
    lead_seconds=10,
    connections=(1, 16, 64),
    http_seconds=10,
    board_players=1_000_000,
    read_seconds=20,
    peer_events=100_000,
    rebuild_events=1_000_000,
    held_rates=(10_000, 15_000),
)
QUICK = Sizes(
    drain_events=60_000,
    strict_events=500,
    kafka_rates=(1_000, 3_000, 10_000),
    http_rates=(1_000, 7_000),
    rate_seconds=6,
    lead_seconds=2,
    connections=(16,),
    http_seconds=3,
    board_players=100_000,
    read_seconds=3,
    peer_events=10_000,
    rebuild_events=20_000,
)
TINY = Sizes(
    drain_events=2_000,
    strict_events=60,
    kafka_rates=(200,),
    single_rates=(200,),
    http_rates=(200,),
    rate_seconds=2,
    lead_seconds=1,
    connections=(2,),
    http_seconds=0.5,
    board_players=300,
    read_seconds=1,
    peer_events=1_000,
    rebuild_events=1_000,
    growth_events=500,
    growth_log=(0, 2_000),
    growth_players=(10,),
    growth_copies=(7,),
    growth_chunks=(900,),
    growth_boards=(3,),
    growth_partitions=(2,),
    soak_rate=100,
    soak_seconds=3,
)
