"""The rules of `apps.failpoints`, written while the processes run."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gamemetrics.stack.processes import wait_until


@dataclass(frozen=True, kw_only=True, slots=True)
class Failpoints:
    """The file that every process of a rig reads (FAILPOINTS)."""

    file: Path

    @property
    def _tokens(self) -> Path:
        return self.file.parent / "tokens"

    def arm(self, rules: dict[str, dict[str, Any]]) -> None:
        """Replace all rules at once."""
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(rules))
        beside.chmod(0o644)
        beside.replace(self.file)

    def clear(self) -> None:
        self.file.unlink(missing_ok=True)

    def fire(
        self, point: str, *, times: int = 1, action: str = "exit", within: float = 30, **rule: Any
    ) -> int:
        """Arm one point, wait until it fired `times` over all processes; how often it did."""
        tokens = self._tokens / uuid.uuid4().hex
        tokens.mkdir(parents=True)
        for number in range(times):
            (tokens / str(number)).touch()
        self.arm({point: {"action": action, "tokens": str(tokens), **rule}})
        wait_until(lambda: not any(tokens.iterdir()), seconds=within, every=0.02)
        self.clear()
        return times - len(list(tokens.iterdir()))
