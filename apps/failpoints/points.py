"""Places at which a fault test makes a process die, wait or fail.

Unarmed, which production settings insist on, a place costs one comparison. Armed, the rules are
those of a JSON file that the tests rewrite while the processes run:
`{"worker.committed": {"action": "exit", "probability": 0.1, "tokens": "/dir"}}`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

import msgspec


class Failpoint(StrEnum):
    """Every place; an event passes them in this order."""

    API_PRODUCED = "api.produced"  # handed to the producer, not confirmed
    API_CONFIRMED = "api.confirmed"  # Kafka has it, the client does not know
    BRIDGE_POLLED = "bridge.polled"  # read, in no chunk yet
    BRIDGE_SENT = "bridge.sent"  # chunks are on the queues, their leases do not run yet
    BRIDGE_STORED = "bridge.stored"  # positions are stored, Kafka is not told
    WORKER_RECEIVED = "worker.received"  # popped from the queue, no transaction yet
    WORKER_CLAIMED = "worker.claimed"  # the chunk is claimed, nothing is applied
    WORKER_APPLYING = "worker.applying"  # about to apply; `match` names events by their text
    WORKER_APPLIED = "worker.applied"  # applied, not committed
    WORKER_LETTERED = "worker.lettered"  # dead letters are written, not committed
    WORKER_COMMITTED = "worker.committed"  # committed, Redis knows nothing
    WORKER_CACHED = "worker.cached"  # Redis has it, the ledger does not know
    WORKER_DONE = "worker.done"  # done, the message is not acknowledged
    REPLAY_APPLIED = "replay.applied"  # a dead letter's event is applied, not committed
    REPLAY_COMMITTED = "replay.committed"  # committed, the message is not acknowledged


class FailpointFired(ConnectionError):
    """A failpoint fired with the action `raise`: to its process, an outage."""


class Rule(msgspec.Struct, kw_only=True, frozen=True):
    """What happens at a place, how likely, and at most how often over all processes.

    `match` is text that the work in hand must contain. `tokens` is a directory: each firing takes
    one of its files, and without a file left the rule is spent.
    """

    action: Literal["exit", "sleep", "raise"]
    probability: float = 1.0
    seconds: float = 0.0
    match: str = ""
    tokens: str = ""


_rules: Final = msgspec.json.Decoder(dict[Failpoint, Rule])


@dataclass(kw_only=True, slots=True)
class Failpoints:
    """The rules of a file, read again whenever it was replaced. A missing file is no rules."""

    path: Path
    random: random.Random = field(default_factory=random.Random)
    _version: tuple[int, int] | None = None
    _read: dict[Failpoint, Rule] = field(default_factory=dict)

    def reach(self, point: Failpoint, text: str) -> None:
        """The process comes to the place with `text` in hand; it may not come past it."""
        rule = self._rules().get(point)
        if rule is None or rule.match not in text or self.random.random() >= rule.probability:
            return
        if rule.tokens and not _take(Path(rule.tokens)):
            return
        if rule.action == "exit":
            os.kill(os.getpid(), signal.SIGKILL)
        elif rule.action == "sleep":
            time.sleep(rule.seconds)
        else:
            raise FailpointFired(f"failpoint {point}")

    def _rules(self) -> dict[Failpoint, Rule]:
        try:
            found = self.path.stat()
            version = (found.st_mtime_ns, found.st_ino)
            if version != self._version:
                self._read, self._version = _rules.decode(self.path.read_bytes()), version
        except FileNotFoundError:
            self._read, self._version = {}, None
        return self._read


def _take(tokens: Path) -> bool:
    """Take one token, against all other processes that try."""
    try:
        names = os.listdir(tokens)
    except FileNotFoundError:
        return False
    for name in names:
        try:
            (tokens / name).unlink()
        except FileNotFoundError:
            continue
        return True
    return False


_armed: list[Failpoints] = []


def arm(path: str | None) -> None:
    """Obey the rules of this file from now on; None or empty: never do anything."""
    _armed[:] = [Failpoints(path=Path(path))] if path else []


def reach(point: Failpoint, text: str = "") -> None:
    """Called at the place; `text` is the work in hand. Raises FailpointFired."""
    if _armed:
        _armed[0].reach(point, text)
