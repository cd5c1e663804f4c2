"""The benchmark's peers do the work that they are timed for: their totals are the events'."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from contextlib import closing

import psycopg2
import pytest

from tests.bench.peer_work.crew import make_tables
from tests.bench.peer_work.truth import problems
from tests.bench.peers import peers
from tests.bench.small_rig import SmallRig

EVENTS = 300


@pytest.fixture(scope="module")
def rig(kafka: str, postgres: str) -> SmallRig:
    topic = f"{os.environ['KAFKA_TOPIC']}.peers.{uuid.uuid4().hex}"
    return SmallRig(servers=kafka, database=postgres, topic=topic)


@pytest.mark.parametrize("name", ["plain", "batched", "floor"])
def test_a_peer_does_its_jobs_for_every_event_once(rig: SmallRig, name: str) -> None:
    result = peers()[name].run(rig, EVENTS)
    assert result.events == EVENTS
    assert result.note.startswith("totals right")
    assert result.seconds > 0


def test_a_peer_that_lost_an_event_is_found_out(rig: SmallRig) -> None:
    ranges: Mapping[int, tuple[int, int]] = rig.backlog(EVENTS)
    with rig.peer_database("idle") as database:
        make_tables(database)
        with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM events")
            assert cursor.fetchone() == (0,)
        wrong = problems(rig.servers, rig.topic, ranges, database, ("logging", "stats"))
    assert "logging differ" in wrong
    assert "stats differ" in wrong
