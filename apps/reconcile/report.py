"""What a run tells: findings as they come, and a summary. Holds no more than it shows."""

from __future__ import annotations

import logging
from collections import Counter
from typing import IO

import msgspec

from apps.reconcile.findings import Finding, Part

logger = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()


class Report:
    """The run's findings: counted, the first `limit` kept, all written to `lines` as JSON."""

    def __init__(self, limit: int, lines: IO[bytes] | None = None) -> None:
        self.limit = limit
        self.shown: list[Finding] = []
        self.found: Counter[tuple[str, str]] = Counter()
        self.left: Counter[str] = Counter()  # by part: not repaired
        self.notes: list[str] = []
        self.unavailable: dict[Part, str] = {}
        self._lines = lines

    def add(self, finding: Finding) -> None:
        """Name a difference; a repaired one is logged, since it changed the truth."""
        self.found[finding.part.value, finding.kind.value] += 1
        if not finding.repaired:
            self.left[finding.part.value] += 1
        if len(self.shown) < self.limit:
            self.shown.append(finding)
        if self._lines is not None:
            self._lines.write(_encoder.encode(finding) + b"\n")
        logger.log(
            logging.WARNING if finding.repaired else logging.INFO,
            "difference repaired" if finding.repaired else "difference found",
            extra={
                "kind": finding.kind.value,
                "consumer": finding.consumer,
                "event_id": finding.event_id,
                "where": finding.where,
                "expected": finding.expected,
                "found": finding.found,
            },
        )

    def note(self, text: str) -> None:
        """What limits the comparison, once."""
        if text not in self.notes:
            self.notes.append(text)

    def fail(self, part: Part, why: str) -> None:
        """The part could not be compared, or not to its end."""
        self.unavailable[part] = why

    def close(self) -> None:
        """The summary, as the last line of `lines`."""
        if self._lines is not None:
            summary = {
                "summary": {kind: count for (_, kind), count in sorted(self.found.items())},
                "not_repaired": sum(self.left.values()),
                "notes": self.notes,
                "unavailable": {part.value: why for part, why in self.unavailable.items()},
            }
            self._lines.write(_encoder.encode(summary) + b"\n")

    @property
    def exit_code(self) -> int:
        """0: nothing differs, or all is repaired; 1: something differs; 2: not all compared."""
        if self.unavailable:
            return 2
        return 1 if self.left.total() else 0
