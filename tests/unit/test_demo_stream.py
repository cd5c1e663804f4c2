"""Sending batches until they are taken, and waiting until they are applied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from apps.contract.queues import Consumer
from apps.demo.connections import patiently
from apps.demo.database import DatabaseUnavailable
from apps.demo.positions import StillBehind, wait_until_applied
from apps.demo.schedule import Plan, Schedule
from apps.demo.stream import Batch, Connection, EventsRefused, Tally

BATCH = Batch(body=b"{}", events=1)


def sent_to(answers: list[httpx.Response | Exception]) -> tuple[Tally, list[bytes]]:
    """One batch sent to a server that gives these answers."""
    bodies: list[bytes] = []
    coming = iter(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        answer = next(coming)
        if isinstance(answer, Exception):
            raise answer
        return answer

    tally = Tally()
    with httpx.Client(transport=httpx.MockTransport(handle), base_url="http://stack") as http:
        Connection(http, tally, threading.Event()).send(BATCH)
    return tally, bodies


def test_a_confirmed_batch_is_counted() -> None:
    tally, bodies = sent_to([httpx.Response(202)])
    assert (tally.accepted, tally.retries, len(tally.seconds)) == (1, 0, 1)
    assert bodies == [BATCH.body]


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_gets_the_same_ids_again(status: int) -> None:
    busy = httpx.Response(status, headers={"Retry-After": "0"})
    tally, bodies = sent_to([busy, busy, httpx.Response(202)])
    assert (tally.accepted, tally.retries) == (1, 2)
    assert bodies == [BATCH.body] * 3


def test_a_broken_connection_is_tried_again() -> None:
    tally, _ = sent_to([httpx.ReadError("reset"), httpx.Response(202)])
    assert (tally.accepted, tally.retries) == (1, 1)


@pytest.mark.parametrize("status", [207, 400, 401, 500])
def test_a_refused_batch_ends_the_run(status: int) -> None:
    with pytest.raises(EventsRefused, match=str(status)):
        sent_to([httpx.Response(status, text="because")])


def test_a_question_is_asked_again_until_it_is_answered() -> None:
    busy = httpx.Response(503, headers={"Retry-After": "0"})
    coming: list[httpx.Response | Exception] = [httpx.ConnectError("away"), busy]
    answers = iter([*coming, httpx.Response(404)])

    def ask() -> httpx.Response:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(ask).status_code == 404


def looks(*answers: dict[Consumer, int] | Exception) -> Callable[[], dict[Consumer, int]]:
    coming = iter(answers)

    def look() -> dict[Consumer, int]:
        answer = next(coming)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look


def test_the_wait_ends_when_nobody_is_behind() -> None:
    wait_until_applied(looks({Consumer.STATS: 2}, {Consumer.STATS: 0}))


def test_the_wait_outlives_a_restart_of_postgresql() -> None:
    wait_until_applied(looks(DatabaseUnavailable("away"), {Consumer.STATS: 0}))


def test_who_is_behind_is_named() -> None:
    with pytest.raises(StillBehind, match="stats by 1,200 events"):
        wait_until_applied(lambda: {Consumer.LOGGING: 0, Consumer.STATS: 1_200}, patience=0.0)


def lanes_of(schedule: Schedule, lanes: int) -> list[Iterator[Batch]]:
    return [schedule.lane() for _ in range(lanes)]


def test_every_planned_batch_reaches_one_lane_and_all_lanes_end() -> None:
    plan = Plan(rate=10_000, seconds=1, batch=1_000)
    schedule = Schedule(
        plan, lambda size, due: Batch(body=b"", events=size, due=due), threading.Event()
    )
    taken: list[Batch] = []
    threads = [
        threading.Thread(target=taken.extend, args=(lane,)) for lane in lanes_of(schedule, 3)
    ]
    for thread in threads:
        thread.start()
    schedule.run()
    for thread in threads:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in threads)
    assert sum(batch.events for batch in taken) == schedule.offered == plan.events
    due = sorted(batch.due for batch in taken if batch.due is not None)
    assert due[-1] - due[0] == pytest.approx(0.9)


def test_a_stopped_schedule_ends_its_lanes() -> None:
    stop = threading.Event()
    plan = Plan(rate=1, seconds=3_600, batch=1)
    schedule = Schedule(plan, lambda size, due: Batch(body=b"", events=size, due=due), stop)
    clock = threading.Thread(target=schedule.run)
    clock.start()
    lane = schedule.lane()
    assert next(lane).events == 1
    stop.set()
    assert list(lane) == []
    clock.join(timeout=10)
    assert not clock.is_alive()
