"""Strictly one task an event a queue gives the same totals as chunks of hundreds."""

from collections.abc import Iterator

import pytest

from tests.acceptance.games import Game
from tests.acceptance.streams import Event, Totals, expected, lichess, stream
from tests.services import Stack, new_stack
from tests.stack_homes import discard

EVENTS = 1_000  # of each kind
# A task and a commit for every event and queue: 15 s here alone, minutes on a crowded machine.
STRICT_SECONDS = 280


@pytest.fixture(scope="module")
def strict_stack() -> Iterator[Stack]:
    """A second whole stack beside the first, with chunks of one event."""
    stack = new_stack(BRIDGE_CHUNK_EVENTS="1")
    try:
        started = stack.command("up")
        assert started.returncode == 0, started.stdout + started.stderr
        yield stack
    finally:
        discard(stack.dir)


def totals_on(stack: Stack, game_id: str, events: list[Event]) -> Totals:
    game = Game(stack=stack, game_id=game_id)
    with game.http:
        game.send(events)
        return game.applied(seconds=STRICT_SECONDS)


@pytest.mark.timeout(600)
def test_one_task_an_event_gives_the_same_totals_as_chunks(game: Game, strict_stack: Stack) -> None:
    events = stream(game.game_id, EVENTS) + lichess(game.game_id, EVENTS)
    strict = totals_on(strict_stack, game.game_id, events)
    assert strict == expected(events)
    game.send(events)
    assert game.applied() == strict

    on_strict = Game(stack=strict_stack, game_id=game.game_id)
    with on_strict.http:
        ((chunks, longest, applied),) = on_strict.sql(
            "SELECT count(*), max(next_offset - first_offset), sum(applied) FROM applied_chunks"
        )
    assert (chunks, longest, applied) == (3 * len(events), 1, 3 * len(events))
    # The stack beside it took hundreds at once, and none of this stack's events.
    ((longest,),) = game.sql("SELECT max(next_offset - first_offset) FROM applied_chunks")
    assert longest > 1
    assert game.stack.env["API_URL"] != strict_stack.env["API_URL"]
