"""The table of results, and the file beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from tests.faults.row import Row
from tests.faults.seed_run import Outcome
from tests.rigs.results import aligned, commit

HEADINGS = (
    *("row", "fault", "seeds", "events", "unknown", "lost", "doubled"),
    *("median s", "worst s", "result"),
)


def table(outcomes: Sequence[Outcome], rows: Mapping[str, Row], skipped: Mapping[str, str]) -> str:
    """One line a row, with the seconds until all was applied: the seeds' median and the worst."""
    lines: list[tuple[str, ...]] = [HEADINGS]
    for number in rows:
        mine = [outcome for outcome in outcomes if outcome.row == number]
        if not mine:
            continue
        recoveries = [outcome.recovery for outcome in mine]
        failed = [outcome.seed for outcome in mine if not outcome.passed]
        lines.append(
            (
                number,
                rows[number].title,
                str(len(mine)),
                str(sum(outcome.events for outcome in mine)),
                str(sum(outcome.unknown for outcome in mine)),
                str(sum(outcome.lost for outcome in mine)),
                str(sum(outcome.doubled for outcome in mine)),
                f"{median(recoveries):.1f}",
                f"{max(recoveries):.1f}",
                f"FAILED: seed {', '.join(map(str, failed))}" if failed else "passed",
            )
        )
    for number, reason in skipped.items():
        lines.append((number, rows[number].title, *([""] * 7), f"not staged: {reason}"))
    return aligned(lines)


def matrix(rows: Iterable[Row]) -> str:
    """The rows as the Markdown table of docs/faults.md."""
    lines = [
        "| Row | Fault | How it is injected | Expected, besides | Needs |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        needs = [f"{row.needs.brokers} brokers"] if row.needs.brokers > 1 else []
        needs += ["root (tmpfs)"] if row.needs.mounts else []
        needs += [f"proxied {name}" for name in sorted(row.proxied)]
        cells = (row.number, row.title, row.injected, row.expected, ", ".join(needs))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def save(path: Path, outcomes: Sequence[Outcome], *, began_at: str, seeds: Sequence[int]) -> None:
    """Keep every outcome as JSON."""
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".new")
    kept = {
        "commit": commit(),
        "began_at": began_at,
        "seeds": list(seeds),
        "outcomes": [{**asdict(outcome), "passed": outcome.passed} for outcome in outcomes],
    }
    aside.write_text(json.dumps(kept, indent=1, default=str) + "\n")
    aside.replace(path)  # who reads it meanwhile finds it whole
