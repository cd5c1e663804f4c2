"""`python -m tests.bench`: measure a stack of its own, print the table, fail if a row fails."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.bench import targets
from tests.bench.catalogue import chosen, long_rows, rows
from tests.bench.figures import Figures
from tests.bench.publish import NotPublished, publish
from tests.bench.report import save, table
from tests.bench.runner import Run
from tests.bench.sizes import FULL, QUICK, TINY
from tests.rigs import console
from tests.rigs.results import aligned, commit
from tests.stack_homes import sweep

RESULTS = PROJECT_ROOT / ".stack"
SIZES = {"full": FULL, "quick": QUICK, "tiny": TINY}


def main() -> int:
    asked = _arguments()
    if asked.publish:
        return _publish()
    sizes = SIZES[asked.size]
    long = long_rows(sizes, growing=asked.growth, soaking=asked.soak)
    wanted = chosen(long or rows(sizes), asked.rows)
    if not wanted:
        print(f"no row begins with any of {', '.join(asked.rows)}", file=sys.stderr)
        return 2
    # A few rows do not take the place of a whole run, which may have taken an hour.
    kinds = {"growth": asked.growth, "soak": asked.soak, "rows": bool(asked.rows)}
    name = "-".join(["bench", *(kind for kind, is_so in kinds.items() if is_so)])
    results = RESULTS / f"{name}.json"
    tell = console.opened()
    began_at = datetime.now(UTC).isoformat(timespec="seconds")
    sweep()
    tell(f"commit {commit()}, {asked.size}, {len(wanted)} rows")
    measured: list[Figures] = []
    run = Run(tell=tell, keep=lambda figures: keep(figures))

    def keep(figures: Figures) -> None:
        measured.append(figures)
        # Now, not at the end: a long run may be ended before.
        described: dict[str, Any] = {"began_at": began_at, "size": asked.size, **run.described}
        save(results, measured, described)

    try:
        run.rows(wanted)
    except KeyboardInterrupt:
        tell("ended by hand")
        return 130
    finally:
        if measured:
            print(table(measured))
            if told := targets.lines(measured):
                print(aligned([targets.HEADINGS, *told]))
            print(f"commit {commit()}; all figures are in {results}")
    return 1 if any(figures.problems for figures in measured) else 0


def _publish() -> int:
    try:
        print("\n".join(f"wrote {path}" for path in publish(RESULTS)))
    except NotPublished as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument(
        "--row",
        "--rows",
        dest="rows",
        type=lambda text: [part.strip() for part in text.split(",") if part.strip()],
        default=[],
        help="only rows whose name begins so, by comma: 'rate kafka,drain'",
    )
    parser.add_argument("--growth", action="store_true", help="instead: with more of everything")
    parser.add_argument("--soak", action="store_true", help="instead: 20 minutes at 3,000/s")
    parser.add_argument(
        "--publish", action="store_true", help="measure nothing: write docs/performance.md anew"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
