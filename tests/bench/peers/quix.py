"""Quix Streams with its PostgreSQL sink, logging only.

It is no dependency of the project: it has a virtual environment of its own in the cache
directory, made when this peer is first asked for. Where that cannot be made, the row says why.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from gamemetrics.stack.layout import PROJECT_ROOT
from gamemetrics.stack.locking import locked
from tests.bench.peer_work.crew import Crew, PeerFailed
from tests.bench.peers import BenchRig, PeerResult

VERSION: Final = "3.28.1"
NAME: Final = f"Quix Streams {VERSION}, PostgreSQL sink, logging only"
JOBS: Final = ("logging",)
APP: Final = PROJECT_ROOT / "tests" / "bench" / "peer_work" / "quix_app.py"
PIP_SECONDS: Final = 300


class NoEnvironment(Exception):
    """Quix Streams could not be installed."""


def run(rig: BenchRig, events: int) -> PeerResult:
    """A result of no events, with the reason, where it does not run here."""
    try:
        python = interpreter()
        return Crew(name="quix", jobs=JOBS, argv=[str(python), str(APP)]).run(rig, events)
    except (NoEnvironment, PeerFailed) as problem:
        return PeerResult(events=0, seconds=0.0, note=f"did not run here: {problem}")


def interpreter() -> Path:
    """The Python that has Quix Streams. Raises NoEnvironment."""
    base = Path(os.environ.get("GAMEMETRICS_CACHE") or Path.home() / ".cache" / "gamemetrics")
    home = base / f"quixstreams-{VERSION}"
    made = home / "made"
    base.mkdir(parents=True, exist_ok=True)
    with locked(base / f"{home.name}.lock"):
        if not made.exists():
            _run(sys.executable, "-m", "venv", "--clear", str(home))
            pip = (str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
            _run(*pip, "install", "--quiet", f"quixstreams[postgresql]=={VERSION}")
            made.touch()  # last: an interrupted install is done again
    return home / "bin" / "python"


def _run(*argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PIP_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NoEnvironment(str(problem)) from problem
    if done.returncode:
        raise NoEnvironment((done.stderr or done.stdout).strip().splitlines()[-1])
