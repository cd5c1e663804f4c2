"""`python -m tests.faults`: run the fault matrix, print the table, fail if a row fails."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.faults import mounts
from tests.faults.lanes import Lanes
from tests.faults.matrix import ROWS, Run, not_staged
from tests.faults.report import matrix, save, table
from tests.faults.seed_run import Outcome
from tests.rigs import console
from tests.rigs.results import commit
from tests.stack_homes import sweep

RESULTS = PROJECT_ROOT / ".stack" / "faults.json"


def main() -> int:
    asked = _arguments()
    if asked.matrix:
        print(matrix(ROWS.values()))
        return 0
    tell = console.opened()
    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    mounts.sweep()
    sweep()
    seeds = [asked.seed] if asked.seed is not None else list(range(1, asked.seeds + 1))
    chosen = [ROWS[number] for number in asked.rows]
    skipped = {row.number: why for row in chosen if (why := not_staged(row))}
    tell(f"commit {commit()}, seeds {seeds}, {asked.events} events, rows {' '.join(asked.rows)}")
    outcomes: list[Outcome] = []

    def keep(outcome: Outcome) -> None:
        outcomes.append(outcome)
        # Now, not at the end: a long run may be ended before.
        save(asked.results, outcomes, began_at=began_at, seeds=seeds)

    staged = [row for row in chosen if row.number not in skipped]
    try:
        if asked.lanes > 1:
            Lanes(count=asked.lanes, arguments=_seeds(asked), tell=tell, keep=keep).rows(staged)
        else:
            Run(seeds=seeds, events=asked.events, tell=tell, keep=keep).rows(staged)
    finally:
        print(table(outcomes, ROWS, skipped))
        print(f"commit {commit()}, seeds {seeds}; every outcome is in {asked.results}")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--row", "--rows", dest="rows", type=_rows, default=list(ROWS))
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 1 to this")
    parser.add_argument("--events", type=int, default=3_000, help="events a seed")
    parser.add_argument("--lanes", type=int, default=1, help="rows at a time, each on its own rig")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where outcomes are kept")
    parser.add_argument("--matrix", action="store_true", help="print the table of docs/faults.md")
    return parser.parse_args()


def _seeds(asked: argparse.Namespace) -> list[str]:
    """The arguments by which a row's own process runs the same seeds."""
    chosen = ["--seeds", str(asked.seeds)] if asked.seed is None else ["--seed", str(asked.seed)]
    return [*chosen, "--events", str(asked.events)]


def _rows(text: str) -> list[str]:
    chosen = list(dict.fromkeys(text.replace(",", " ").split()))
    unknown = [number for number in chosen if number not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no row {', '.join(unknown)}: {' '.join(ROWS)}")
    return chosen or list(ROWS)


if __name__ == "__main__":
    sys.exit(main())
