"""Which Python makes `.venv`: the fastest 3.11 of those on PATH.

`python3 -m gamemetrics.stack.interpreter .venv`, run by any Python 3: there is no environment yet.

One that somebody compiled without profile-guided optimisation, as version managers do unless told
otherwise, takes a third more CPU for the same work (docs/decisions/0055).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from gamemetrics.stack.errors import StackError

PROJECT_ROOT = Path(__file__).resolve().parents[2]  # not the layout's: an older Python reads this
WANTED = (3, 11)
NAMES = ("python3.11", "python3")
# A distribution's own are optimised by its rules for packages, which do not show in their options.
DISTRIBUTION = "/usr"
SLOW = (
    "{path} was built without --enable-optimizations: everything takes a third more CPU. "
    "A distribution's own python3.11 (with venv) is taken once it is on PATH."
)


class NoPython(StackError):
    """No Python on PATH can make the environment."""


@dataclass(frozen=True)
class Interpreter:
    """A Python on this machine, as it says of itself."""

    executable: str
    version: tuple[int, int]
    optimised: bool


def is_optimised() -> bool:
    """Whether the Python that runs this was built with profile-guided optimisation."""
    options = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return "--enable-optimizations" in options or sys.base_prefix == DISTRIBUTION


def best_first(found: Iterable[Interpreter]) -> list[Interpreter]:
    """Those of the wanted version: optimised ones before others, else in the order given."""
    return sorted(
        (one for one in found if one.version == WANTED), key=lambda one: not one.optimised
    )


def make(target: Path, environ: Mapping[str, str]) -> Interpreter:
    """Makes the virtual environment by the best Python that can. Raises NoPython.

    BOOTSTRAP_PYTHON names the one to take, whichever there are.
    """
    given = environ.get("BOOTSTRAP_PYTHON")
    paths = [given] if given else list(_on_path(environ.get("PATH", os.defpath)))
    reasons = []
    for one in best_first(_asked(paths)):
        made = subprocess.run(
            [one.executable, "-m", "venv", str(target)], capture_output=True, text=True, check=False
        )
        if made.returncode == 0:
            return one
        # Debian's has no venv until python3.11-venv is installed.
        shutil.rmtree(target, ignore_errors=True)
        reasons.append(f"{one.executable}: {(made.stdout + made.stderr).strip()}")
    tried = ", ".join(paths) or "nothing on PATH"
    rule = f"gamemetrics needs Python 3.11 with venv (BOOTSTRAP_PYTHON names one); tried {tried}"
    raise NoPython("\n".join([rule, *reasons]))


def _on_path(path: str) -> Iterator[str]:
    """Every Python, in the order of PATH; the wanted name before the general one."""
    for name in NAMES:
        for directory in path.split(os.pathsep):
            if found := shutil.which(name, path=directory or os.curdir):
                yield found


def _asked(paths: Iterable[str]) -> Iterator[Interpreter]:
    """What each says of itself, each once: a version manager's name on PATH is a script that starts
    another. One that does not start is left out."""
    seen = set()
    for path in paths:
        try:
            answer = subprocess.run(
                [path, "-m", "gamemetrics.stack.interpreter", "--tell"],
                capture_output=True,
                check=True,
                timeout=30,
                cwd=PROJECT_ROOT,
            )
            told = json.loads(answer.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            continue
        one = Interpreter(
            executable=told["executable"],
            version=(told["version"][0], told["version"][1]),
            optimised=told["optimised"],
        )
        if (real := os.path.realpath(one.executable)) not in seen:
            seen.add(real)
            yield one


def main(arguments: list[str]) -> int:
    if arguments == ["--tell"]:
        told = Interpreter(sys.executable, sys.version_info[:2], is_optimised())
        print(json.dumps(asdict(told)))
        return 0
    (target,) = arguments
    try:
        chosen = make(Path(target), os.environ)
    except NoPython as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    if not chosen.optimised:
        print(SLOW.format(path=chosen.executable), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
