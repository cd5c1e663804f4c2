"""What an event costs where there is more of everything: events, players, boards, partitions.

Each row is a drain, so that what an event costs is seen and not what an idle process does.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from gamemetrics.stack.run_state import DEFAULT_TOPIC
from tests.bench import fill
from tests.bench.events import PLAYERS
from tests.bench.figures import Figures
from tests.bench.fill import Filled
from tests.bench.rig import Rig
from tests.bench.row import Row
from tests.bench.rows import drain
from tests.bench.sizes import Sizes


def growth(sizes: Sizes) -> list[Row]:
    """The rows of `make bench GROWTH=1`; filling the tables takes most of their time."""

    def row(what: str, number: int, **more: Any) -> Row:
        return Row(
            name=f"growth {what} {number}",
            shows=f"{sizes.growth_events:,} events, with {number:,} {_SHOWN[what]}",
            measure=partial(drain.measured, row="growth", events=sizes.growth_events, **more),
            limit=7200,
        )

    return [
        *(row("log", n, fill=partial(_log, events=n)) for n in sizes.growth_log),
        *(
            row("players", n, fill=partial(fill.players, number=n), players=n)
            for n in sizes.growth_players
        ),
        *(row("copies", n, fill=partial(fill.copies, number=n)) for n in sizes.growth_copies),
        *(row("chunks", n, fill=partial(fill.chunks, number=n)) for n in sizes.growth_chunks),
        *(row("boards", n, fill=partial(_boards, number=n)) for n in sizes.growth_boards),
        *(
            Row(
                name=f"growth partitions {n}",
                shows=f"{sizes.growth_events:,} events, with {n:,} partitions",
                measure=partial(_partitions, events=sizes.growth_events, partitions=n),
                limit=1200,
            )
            for n in sizes.growth_partitions
        ),
    ]


_SHOWN = {
    "log": "events in the log and the ledgers before them",
    "players": "players who have scored before",
    "copies": "players whose statistics somebody reads",
    "chunks": "applied chunks of the last hour",
    "boards": "boards beside the default one of each game",
}


def _log(rig: Rig, *, events: int) -> Filled:
    return fill.log(rig, events, PLAYERS)


def _boards(rig: Rig, *, number: int) -> Filled:
    return fill.boards(rig, number)


def _partitions(rig: Rig, *, events: int, partitions: int) -> Figures:
    rig.use_topic(f"bench.partitions-{partitions}", partitions)
    try:
        return drain.measured(rig, row="growth", events=events)
    finally:
        rig.use_topic(DEFAULT_TOPIC, 3)
