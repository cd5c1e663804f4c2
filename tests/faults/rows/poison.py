"""Events that cannot be applied, that kill, and a schema that is not the code's."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gamemetrics.stack.ports import HOST
from gamemetrics.stack.programs import QUEUES
from tests.faults.oracle import Excuse
from tests.faults.row import Row
from tests.faults.scene import Scene
from tests.faults.stream import Event, Kind, uuid_of
from tests.rigs.processes import NotRunning

FLOOD = 200
# The longest way to the third death of one event alone, at leases of 10 s (decision 0026).
ISOLATED_SECONDS = 150
# A player whom a constraint of ours refuses for a while.
TRAPPED = "player-12"


def poison_flood_and_crash(scene: Scene) -> None:
    game = scene.client.stream.name + "-flood"
    scene.excuse = Excuse(letters=frozenset((queue, "crash") for queue in QUEUES), any_letters=True)
    _place_poison(scene, game)
    _flood(scene, game)
    _crash(scene)
    scene.finally_(lambda: _expect_letters(scene, game, FLOOD + 3))


def _place_poison(scene: Scene, game: str) -> None:
    """Poison as the first, the middle and the last of a request."""
    events = [_unscored(scene, game, score=1) for _ in range(99)]
    for place in (0, 49, 98):
        events[place] = _unscored(scene, game, score="ten")
    _post(scene, events)


def _flood(scene: Scene, game: str) -> None:
    """Nothing but poison: the consumer stops instead, until an operator lets it through."""
    _post(scene, [_unscored(scene, game, score="ten") for _ in range(FLOOD)])
    scene.until(lambda: _is_tripped(scene), "the breaker of the boards trips", seconds=30)
    letters = _letters(scene, game)
    scene.require(letters < FLOOD // 2, f"{letters} dead letters before the breaker tripped")
    scene.rig.manage("breaker", "allow", "leaderboards", "--minutes", "2", "--by", "rig")
    scene.until(lambda: _letters(scene, game) == FLOOD + 3, "it goes on once allowed", seconds=60)
    # The next seed's flood may come before that time is over.
    scene.rig.postgres.sql("UPDATE consumer_breakers SET allowed_until = now()")


def _crash(scene: Scene) -> None:
    """One event kills whatever worker applies it, at every consumer."""
    stream = scene.client.stream
    killer = next(
        stream.events[index]
        for index in scene.client.upcoming(200)
        # A duplicate would be another chunk that kills.
        if stream.order.count(index) == 1 and _counts_everywhere(stream.events[index])
    )
    rule = {"action": "exit", "match": killer.event_id}
    scene.rig.failpoints.arm({"worker.applying": rule})
    scene.until(
        lambda: _crashed(scene, killer.event_id) == sorted(QUEUES),
        "the event that kills is isolated at every consumer",
        seconds=ISOLATED_SECONDS,
    )
    scene.rig.failpoints.clear()


def _counts_everywhere(event: Event) -> bool:
    return event.kind is Kind.GOOD and event.event_type != "session_started"


def _crashed(scene: Scene, event_id: str) -> list[str]:
    rows = scene.rig.postgres.sql(
        "SELECT consumer_service FROM dlq_events WHERE cause = 'crash' AND event_id = %s"
        " ORDER BY consumer_service",
        event_id,
    )
    return [name for (name,) in rows]


def _is_tripped(scene: Scene) -> bool:
    rows = scene.rig.postgres.sql(
        "SELECT 1 FROM consumer_breakers WHERE consumer = 'leaderboards'"
        " AND tripped_at > coalesce(reset_at, '-infinity')"
    )
    return bool(rows)


def _letters(scene: Scene, game: str) -> int:
    ((found,),) = scene.rig.postgres.sql("SELECT count(*) FROM dlq_events WHERE game_id = %s", game)
    return int(found)


def _expect_letters(scene: Scene, game: str, number: int) -> None:
    found = scene.rig.postgres.sql(
        "SELECT consumer_service, cause, count(*), count(DISTINCT event_id) FROM dlq_events"
        " WHERE game_id = %s GROUP BY 1, 2",
        game,
    )
    scene.require(
        found == [("leaderboards", "score_invalid", number, number)], f"dead letters {found}"
    )


def _unscored(scene: Scene, game: str, *, score: object) -> dict[str, Any]:
    return {
        "event_id": uuid_of(scene.chance),
        "event_type": "player_score",
        "player_id": "ada",
        "game_id": game,
        "timestamp": "2024-02-29T12:00:00Z",
        "data": {"score": score},
    }


def _post(scene: Scene, events: list[dict[str, Any]]) -> None:
    port = next(iter(scene.rig.web_ports.values()))
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    connection.request(
        "POST", "/api/v1/events", json.dumps(events), {"Content-Type": "application/json"}
    )
    status = connection.getresponse().status
    connection.close()
    scene.require(status == 202, f"the row's own events were answered {status}")


def skewed_and_replayed(scene: Scene) -> None:
    scene.excuse = Excuse(letters=frozenset({("stats", "23514")}))
    postgres = scene.rig.postgres
    before = postgres.sql("SELECT count(*) FROM dlq_events WHERE consumer_service = 'stats'")
    with _altered(
        scene,
        "ALTER TABLE player_statistics RENAME COLUMN event_breakdown TO breakdown",
        "ALTER TABLE player_statistics RENAME COLUMN breakdown TO event_breakdown",
    ):
        scene.last(3, 4)
    after = postgres.sql("SELECT count(*) FROM dlq_events WHERE consumer_service = 'stats'")
    scene.require(before == after, "a missing column filled the dead letters")
    with _altered(
        scene,
        "ALTER TABLE dlq_events RENAME TO dlq_events_away",
        "ALTER TABLE dlq_events_away RENAME TO dlq_events",
    ):
        scene.last(3, 4)
    with _altered(
        scene,
        "ALTER TABLE player_statistics ADD CONSTRAINT trap"
        f" CHECK (player_id <> '{TRAPPED}') NOT VALID",
        "ALTER TABLE player_statistics DROP CONSTRAINT trap",
    ):
        scene.until(lambda: bool(_trapped(scene)), "a dead letter to replay")
        scene.last(1, 2)
    _replay_twice(scene)


@contextmanager
def _altered(scene: Scene, change: str, back: str) -> Iterator[None]:
    scene.rig.postgres.sql(change)
    try:
        yield
    finally:
        scene.rig.postgres.sql(back)


def _trapped(scene: Scene) -> list[int]:
    """Dead letters of the trap that are still open."""
    rows = scene.rig.postgres.sql(
        "SELECT id FROM dlq_events WHERE cause = '23514' AND state <> 'applied' ORDER BY id"
    )
    return [letter for (letter,) in rows]


def _replay_twice(scene: Scene) -> None:
    """Two operators at once, while the worker dies before and after the commit."""
    scene.until(lambda: _nothing_underway(scene), "the statistics have passed the trap")
    letters = _trapped(scene)
    scene.notes["replayed"] = len(letters)
    refused: list[str] = []
    operators = [
        threading.Thread(target=_click, args=(scene, letters, who, refused))
        for who in ("ada", "bo")
    ]
    for operator in operators:
        operator.start()
    for point in ("replay.applied", "replay.committed"):
        scene.fire(point)
    for operator in operators:
        operator.join()
    scene.require(len(refused) < len(operators), f"nobody could replay: {refused}")
    scene.until(lambda: not _trapped(scene), "every letter is replayed", seconds=90)


def _click(scene: Scene, letters: list[int], who: str, refused: list[str]) -> None:
    try:
        scene.rig.manage("dead_letters", "replay", "--id", *map(str, letters), "--by", who)
    except NotRunning as error:
        # Who comes second is told that the letters are not open any more.
        refused.append(str(error))


def _nothing_underway(scene: Scene) -> bool:
    with scene.rig.broker.client() as client:
        return not client.llen("stats")


ROWS = (
    Row(
        number="29",
        title="Poison at every place, nothing but poison, an event that kills",
        injected=f"scores that are no numbers; {FLOOD} of them at once; a failpoint on one event",
        expected="only these are dead letters; the breaker trips and is let through; cause crash",
        seconds=75,
        fault=poison_flood_and_crash,
    ),
    Row(
        number="30",
        title="A column missing, the dead letters' table missing, replays clicked twice and killed",
        injected="a column and the table renamed; two operators replay at once, the worker dies",
        expected="the line stops without dead letters; each letter's event is applied once",
        seconds=30,
        fault=skewed_and_replayed,
    ),
)
