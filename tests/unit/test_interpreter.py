"""Which Python makes `.venv`; those on PATH are small programs that answer as one would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gamemetrics.stack.interpreter import Interpreter, NoPython, best_first, make

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def interpreter(name: str, *, optimised: bool, version: tuple[int, int] = (3, 11)) -> Interpreter:
    return Interpreter(executable=name, version=version, optimised=optimised)


def on_path(
    directory: Path, *, optimised: bool, name: str = "python3.11", minor: int = 11, venv: int = 0
) -> Path:
    """A Python that tells this of itself, and whose `-m venv` exits with `venv`."""
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / name
    told = {"executable": str(program), "version": [3, minor], "optimised": optimised}
    program.write_text(
        "#!/bin/sh\n"
        f"""[ "$3" = --tell ] && {{ echo '{json.dumps(told)}'; exit 0; }}\n"""
        f"""[ {venv} = 0 ] && mkdir -p "$3" && echo {program} > "$3/made-by"\n"""
        f"""[ {venv} = 0 ] || echo "ensurepip is not available"\nexit {venv}\n"""
    )
    program.chmod(0o755)
    return program


def made_by(target: Path) -> str:
    return (target / "made-by").read_text().strip()


def path_of(*programs: Path) -> dict[str, str]:
    return {"PATH": os.pathsep.join([*(str(p.parent) for p in programs), os.defpath])}


def test_an_optimised_one_comes_before_others_and_else_path_decides() -> None:
    slow, fast = interpreter("slow", optimised=False), interpreter("fast", optimised=True)
    second = interpreter("second", optimised=True)
    newer = interpreter("newer", optimised=True, version=(3, 12))
    assert best_first([slow, newer, fast, second]) == [fast, second, slow]


def test_the_optimised_one_makes_the_environment_though_it_comes_later(tmp_path: Path) -> None:
    slow = on_path(tmp_path / "manager", optimised=False)
    fast = on_path(tmp_path / "distribution", optimised=True)
    chosen = make(tmp_path / "venv", path_of(slow, fast))
    assert chosen.executable == made_by(tmp_path / "venv") == str(fast)


def test_one_without_venv_leaves_it_to_the_next(tmp_path: Path) -> None:
    bare = on_path(tmp_path / "bare", optimised=True, venv=1)
    whole = on_path(tmp_path / "whole", optimised=True)
    assert make(tmp_path / "venv", path_of(bare, whole)).executable == str(whole)


def test_one_that_is_named_is_taken_though_a_faster_is_on_path(tmp_path: Path) -> None:
    fast = on_path(tmp_path / "fast", optimised=True)
    named = on_path(tmp_path / "named", optimised=False, name="mine")
    environ = {**path_of(fast), "BOOTSTRAP_PYTHON": str(named)}
    assert make(tmp_path / "venv", environ).executable == str(named)


def test_without_any_the_error_names_the_rule_and_what_was_tried(tmp_path: Path) -> None:
    newer = on_path(tmp_path / "newer", optimised=True, minor=13)
    bare = on_path(tmp_path / "bare", optimised=True, venv=1)
    for program in (newer, bare):
        with pytest.raises(NoPython, match=rf"needs Python 3\.11 with venv.*{program}"):
            make(tmp_path / "venv", {"PATH": "", "BOOTSTRAP_PYTHON": str(program)})
    with pytest.raises(NoPython, match="ensurepip is not available"):
        make(tmp_path / "venv", {"PATH": "", "BOOTSTRAP_PYTHON": str(bare)})
    with pytest.raises(NoPython, match="nothing on PATH"):
        make(tmp_path / "venv", {"PATH": str(tmp_path)})
    assert not (tmp_path / "venv").exists()


def test_the_environment_of_a_real_one_runs_what_was_chosen(tmp_path: Path) -> None:
    target = tmp_path / "venv"
    chosen = make(target, os.environ)
    told = subprocess.run(
        [target / "bin" / "python", "-m", "gamemetrics.stack.interpreter", "--tell"],
        capture_output=True,
        check=True,
        cwd=PROJECT_ROOT,
    )
    found = json.loads(told.stdout)
    assert found["version"] == list(sys.version_info[:2])
    assert found["optimised"] is chosen.optimised
