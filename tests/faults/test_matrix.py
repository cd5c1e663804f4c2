"""The ten most telling rows of the fault matrix, with one seed; `make faults` runs all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest

from gamemetrics.stack.errors import StackError
from tests.faults.matrix import ROWS, line
from tests.faults.needs import Needs
from tests.faults.rig import Rig
from tests.faults.seed_run import run_seed
from tests.faults.topic import Topic

# Each hop of an event, and each server, broken once; those behind a proxy last.
TELLING = ("2", "3", "4", "8", "13", "20", "24", "30", "18", "25")
SEED = 1
EVENTS = 2_000


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    rig = Rig(needs=Needs(), chance=Random(SEED))
    try:
        rig.start()
    except StackError as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the fault rig cannot be started here: {problem}")
    yield rig
    rig.stop()


@pytest.fixture(scope="module")
def topic(rig: Rig) -> Topic:
    return Topic(servers=rig.servers)


@pytest.mark.parametrize("number", TELLING)
def test_no_fault_loses_or_doubles_an_event(rig: Rig, topic: Topic, number: str) -> None:
    outcome = run_seed(rig, topic, ROWS[number], seed=SEED, events=EVENTS)
    assert outcome.passed, line(outcome)
