"""Failpoints: what the fault tests make a process do, and that production never does it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.failpoints.points import Failpoint, FailpointFired, Failpoints, arm, reach
from gamemetrics.environment import Environment, SettingInvalid, failpoints_file


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "failpoints.json"
    arm(str(path))
    yield path
    arm(None)


def write(path: Path, point: Failpoint, **rule: Any) -> None:
    """Replace the rules, as the rig does: a reader sees the old file or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({point.value: rule}))
    beside.replace(path)


def test_a_place_without_rules_does_nothing(file: Path) -> None:
    reach(Failpoint.WORKER_CLAIMED)
    write(file, Failpoint.WORKER_DONE, action="raise")
    reach(Failpoint.WORKER_CLAIMED)


def test_a_rule_that_is_written_later_is_obeyed_and_one_taken_away_is_not(file: Path) -> None:
    write(file, Failpoint.WORKER_CLAIMED, action="raise")
    with pytest.raises(FailpointFired):
        reach(Failpoint.WORKER_CLAIMED)
    file.unlink()
    reach(Failpoint.WORKER_CLAIMED)


def test_a_rule_with_a_match_fires_at_that_work_alone(file: Path) -> None:
    write(file, Failpoint.WORKER_APPLYING, action="raise", match="ada")
    reach(Failpoint.WORKER_APPLYING, '{"player_id":"bo"}')
    with pytest.raises(FailpointFired):
        reach(Failpoint.WORKER_APPLYING, '{"player_id":"ada"}')


def test_a_rule_fires_once_for_each_token(file: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    for name in ("first", "second"):
        (tokens / name).touch()
    write(file, Failpoint.WORKER_DONE, action="raise", tokens=str(tokens))
    for _ in range(2):
        with pytest.raises(FailpointFired):
            reach(Failpoint.WORKER_DONE)
    reach(Failpoint.WORKER_DONE)


def test_a_probability_is_one_in_so_many(tmp_path: Path) -> None:
    file = tmp_path / "failpoints.json"
    write(file, Failpoint.WORKER_DONE, action="raise", probability=0.25)
    points = Failpoints(path=file, random=random.Random(7))

    def fired() -> bool:
        try:
            points.reach(Failpoint.WORKER_DONE, "")
        except FailpointFired:
            return True
        return False

    assert 200 < sum(fired() for _ in range(1_000)) < 300


def test_exit_kills_the_process_as_sigkill_does(tmp_path: Path) -> None:
    file = tmp_path / "failpoints.json"
    write(file, Failpoint.BRIDGE_SENT, action="exit")
    code = (
        "from apps.failpoints.points import *; import sys;"
        "arm(sys.argv[1]); reach(Failpoint.BRIDGE_SENT); print('came past it')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-9, b"")


def test_production_refuses_failpoints_by_name() -> None:
    values = {"FAILPOINTS": "/some/file", "GAMEMETRICS_ENV": "production"}
    with pytest.raises(SettingInvalid, match="FAILPOINTS"):
        failpoints_file(Environment(values=values))
    assert failpoints_file(Environment(values={"FAILPOINTS": "/some/file"})) == "/some/file"
