"""How fast the machine is just now: a virtual one is not equally fast at every hour."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

TIMES: Final = 5
WAKES: Final = 200
# Answers each byte with a byte, until its input ends.
_ECHO: Final = """
import os
while told := os.read(0, 1):
    os.write(1, told)
"""
_DOCUMENT: Final = {"player": "p" * 20, "score": 12.5, "tags": [str(n) for n in range(40)]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """Of one idle moment: `work`, ms of one core for a fixed piece of Python; `wake`, us for a byte
    to another process and back, each of which slept meanwhile."""

    work: float
    wake: float


def probe() -> Probe:
    """Take some 0.3 s; each figure is the median of five."""
    return Probe(work=round(_work() * 1e3, 1), wake=round(_wake() * 1e6, 1))


def _work() -> float:
    def once() -> None:
        for _ in range(1_000):
            json.loads(json.dumps(_DOCUMENT))

    return _median_of(once)


def _wake() -> float:
    command = [sys.executable, "-S", "-c", _ECHO]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as echo:
        there, back = echo.stdin, echo.stdout
        assert there is not None and back is not None
        there.write(b"x")
        back.read(1)  # it is up

        def once() -> None:
            for _ in range(WAKES):
                there.write(b"x")
                back.read(1)

        found = _median_of(once) / WAKES
        there.close()
    return found


def _median_of(once: Callable[[], None]) -> float:
    """Seconds."""

    def timed() -> float:
        began = time.perf_counter()
        once()
        return time.perf_counter() - began

    return median(timed() for _ in range(TIMES))
