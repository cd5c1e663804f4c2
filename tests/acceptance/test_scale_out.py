"""More bridges and workers on a running stack: the same events give the same totals."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from gamemetrics.stack.ports import HOST
from gamemetrics.stack.programs import QUEUES, Launch
from tests.acceptance.games import Game
from tests.acceptance.streams import Event, expected, stream
from tests.acceptance.waiting import until
from tests.deployments import Deployment, deployment
from tests.services import Stack

EVENTS = 3_000
REPEATED = 300
SCALED = ("bridge", *(f"worker-{queue}" for queue in QUEUES))
# Theirs alone; the new ones have other ports and another directory.
OWN_SETTINGS = {"METRICS_PORT", "STACK_DIR", "STACK_PROCESS"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Crowd:
    """A second bridge and a second worker a queue, beside those of the stack."""

    stack: Stack
    deployed: Deployment

    def join(self) -> None:
        """Start them, and wait until each has its share of the work."""
        for name in SCALED:
            self.deployed.start(name)
        for running in self.deployed.running:
            running.answers()
            if running.name != "bridge":
                running.tells(" ready.")  # Celery's word for: it takes messages
        until(lambda: all(map(_has_partitions, self._metrics("bridge"))), "both bridges read")

    def leave(self) -> None:
        """Tell them to end, and wait until they have."""
        for running in self.deployed.running:
            running.stop()

    def work_done(self) -> Mapping[tuple[str, int], float]:
        """What each process, old or new, counts of its work."""
        counter = {"bridge": "chunks_published_total"}
        return {
            (name, number): _total(counter.get(name, "events_processed_total"), text)
            for name in SCALED
            for number, text in enumerate(self._metrics(name))
        }

    def _metrics(self, name: str) -> list[str]:
        old = int(launch_of(self.stack, name).environ["METRICS_PORT"])
        new = [running.port for running in self.deployed.running if running.name == name]
        return [
            httpx.get(f"http://{HOST}:{port}/metrics", timeout=10, trust_env=False).text
            for port in (old, *new)
        ]


def launch_of(stack: Stack, name: str) -> Launch:
    return Launch.load(stack.layout.launch_file(name))


def _has_partitions(metrics: str) -> bool:
    return "consumer_lag{" in metrics


def _total(counter: str, metrics: str) -> float:
    return sum(map(float, re.findall(rf"^{counter}{{.*}} (\S+)$", metrics, re.MULTILINE)))


@pytest.fixture
def crowd(stack: Stack, game: Game) -> Iterator[Crowd]:
    environ = launch_of(stack, "bridge").environ
    settings = {name: value for name, value in environ.items() if name not in OWN_SETTINGS}
    with deployment(settings) as deployed:
        yield Crowd(stack=stack, deployed=deployed)


@pytest.fixture
def other_game(game: Game) -> Iterator[Game]:
    other = Game(stack=game.stack, game_id=f"{game.game_id}-scaled")
    yield other
    other.http.close()


def as_sent(events: list[Event]) -> list[Event]:
    """In no order, and some of them twice: in the same chunk, or in one of another worker's."""
    chance = random.Random(len(events))
    sent = [*events, *chance.sample(events, REPEATED)]
    chance.shuffle(sent)
    return sent


def test_two_bridges_and_two_workers_a_queue_give_the_totals_of_one(
    game: Game, other_game: Game, crowd: Crowd
) -> None:
    events, same_events = (stream(each.game_id, EVENTS) for each in (game, other_game))
    game.send(as_sent(events))
    alone = game.applied()
    crowd.join()
    before = crowd.work_done()
    other_game.send(as_sent(same_events))
    together = other_game.applied()
    assert together == alone == expected(events)
    after = crowd.work_done()
    idle = [process for process in after if after[process] == before[process]]
    assert not idle, f"did nothing: {idle}"


def test_bridges_and_workers_that_come_and_go_in_a_stream_change_no_total(
    game: Game, crowd: Crowd
) -> None:
    events = stream(game.game_id, 2 * EVENTS)
    first, second = events[:EVENTS], events[EVENTS:]
    # Beside the stream, so that chunks are on their way while partitions change hands.
    joining = threading.Thread(target=crowd.join)
    leaving = threading.Thread(target=crowd.leave)
    game.send(as_sent(first), halfway=joining.start)
    joining.join()
    game.send(as_sent(second), halfway=leaving.start)
    leaving.join()
    assert game.applied() == expected(events)
