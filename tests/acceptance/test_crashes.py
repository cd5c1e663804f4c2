"""An event that kills whatever worker touches it, on a whole stack that brings workers back."""

import json
from collections.abc import Iterator

import pytest

from apps.failpoints.points import Failpoint
from tests.acceptance.games import QUEUES, Game
from tests.acceptance.streams import expected, stream
from tests.acceptance.waiting import until
from tests.services import Stack, new_stack
from tests.stack_homes import discard

EVENTS = 1_000
# Six messages at leases of 10 s, and a worker that starts anew for each, on a crowded machine.
ISOLATED_SECONDS = 150


@pytest.fixture(scope="module")
def armed() -> Iterator[Stack]:
    """A second whole stack, whose processes obey a file of failpoints."""
    plain = new_stack()
    stack = Stack(environ={**plain.environ, "FAILPOINTS": f"{plain.dir}/failpoints.json"})
    try:
        started = stack.command("up")
        assert started.returncode == 0, started.stdout + started.stderr
        yield stack
    finally:
        discard(stack.dir)


@pytest.mark.timeout(600)
def test_an_event_that_kills_its_workers_is_the_only_one_that_is_not_applied(armed: Stack) -> None:
    game = Game(stack=armed, game_id="crash")
    events = stream(game.game_id, EVENTS)
    killer = events[EVENTS // 2]
    isolated = [(name, "crash", killer["event_id"]) for name in sorted(QUEUES)]
    # At every consumer: the place is common to all three.
    arm(armed, {"action": "exit", "match": killer["event_id"]})
    with game.http:
        game.send(events)
        until(
            lambda: (
                letters_of(game) == [(name, "crash", killer["event_id"]) for name in sorted(QUEUES)]
            ),
            "the event that kills is isolated",
            seconds=ISOLATED_SECONDS,
        )
        found = game.applied()
        assert letters_of(game) == isolated
        assert game.sql("SELECT count(*) FROM chunk_attempts WHERE deaths > 0") == [(0,)]
    others = expected([event for event in events if event is not killer])
    others.dead_letters = len(QUEUES)
    assert found == others


def arm(stack: Stack, rule: dict[str, str]) -> None:
    path = stack.dir / "failpoints.json"
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({Failpoint.WORKER_APPLYING.value: rule}))
    beside.replace(path)


def letters_of(game: Game) -> list[tuple[str, str, str]]:
    rows = game.sql(
        "SELECT consumer_service, cause, event_id::text FROM dlq_events WHERE game_id = %s",
        game.game_id,
    )
    return sorted((service, cause, event_id) for service, cause, event_id in rows)
