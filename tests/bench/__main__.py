"""`python -m tests.bench`: measure a stack of its own, print the table, fail if a row fails."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.bench.catalogue import chosen, rows
from tests.bench.figures import Figures
from tests.bench.report import save, table
from tests.bench.runner import Run
from tests.bench.sizes import FULL, QUICK, TINY
from tests.rigs.results import commit
from tests.stack_homes import sweep

RESULTS = PROJECT_ROOT / ".stack" / "bench.json"
SIZES = {"full": FULL, "quick": QUICK, "tiny": TINY}


def main() -> int:
    asked = _arguments()
    wanted = chosen(rows(SIZES[asked.size]), asked.rows)
    if not wanted:
        print(f"no row begins with any of {', '.join(asked.rows)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    logging.getLogger("tests.librdkafka").setLevel(logging.CRITICAL)
    began = time.monotonic()
    began_at = datetime.now(UTC).isoformat(timespec="seconds")

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f}] {text}", flush=True)

    sweep()
    tell(f"commit {commit()}, {asked.size}, {len(wanted)} rows")
    measured: list[Figures] = []
    run = Run(tell=tell, keep=lambda figures: keep(figures))

    def keep(figures: Figures) -> None:
        measured.append(figures)
        # Now, not at the end: a long run may be ended before.
        described: dict[str, Any] = {"began_at": began_at, "size": asked.size, **run.described}
        save(RESULTS, measured, described)

    try:
        run.rows(wanted)
    except KeyboardInterrupt:
        tell("ended by hand")
        return 130
    finally:
        if measured:
            print(table(measured))
            print(f"commit {commit()}; all figures are in {RESULTS}")
    return 1 if any(figures.problems for figures in measured) else 0


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
    return parser.parse_args()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
