"""Rows 83 and 84 on the queues: what the bridge did not send is refused, and the workers live."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from apps.contract.queues import Consumer
from apps.contract.seal import sealed
from tests.acceptance.corpus import broker
from tests.acceptance.corpus.effects import applied
from tests.acceptance.corpus.table import Table
from tests.acceptance.games import PARTITIONS, QUEUES, Game
from tests.acceptance.streams import expected
from tests.acceptance.waiting import until
from tests.services import Stack

GAME = "b-000"
REFUSED = "refused, 0 applied, the worker lives"
HUGE = 2**62


@pytest.fixture
def queues(stack: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.env["CELERY_BROKER_URL"], socket_timeout=5) as client:
        yield client


def refused_by(stack: Stack, queue: str) -> float:
    """Messages that the queue's worker has refused."""
    text = httpx.get(stack.env[f"METRICS_URL_{queue.upper()}"], trust_env=False).text
    name = "queue_messages_refused_total{"
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def put(watcher: Game, queues: redis.Redis, messages: dict[str, bytes]) -> str:
    """Put one message on each queue; what became of them, once they are gone."""
    stack = watcher.stack
    watcher.applied()
    pids = {queue: stack.pid(f"worker-{queue}") for queue in QUEUES}
    before = {queue: refused_by(stack, queue) for queue in QUEUES}
    for queue, message in messages.items():
        queues.lpush(queue, message)
    until(
        lambda: (
            all(refused_by(stack, queue) > before[queue] for queue in messages)
            and not any(queues.llen(queue) for queue in QUEUES)
            and not queues.hlen("unacked")
        ),
        "each worker has refused its message, and none is left over",
        seconds=30,
    )
    alive = {queue: stack.pid(f"worker-{queue}") for queue in QUEUES} == pids
    effect = applied(watcher, GAME) or "0 applied"
    return f"refused, {effect}, the worker {'lives' if alive else 'died'}"


def test_what_is_no_task_of_ours_is_refused(
    watcher: Game, queues: redis.Redis, table: Table, tmp_path: Path
) -> None:
    trap = tmp_path / "unpickled"
    chunk = broker.forged(
        Consumer.STATS, GAME, topic_id=broker.INVENTED_TOPIC, first=0, following=1
    )
    for what, messages in {
        "a pickle": {queue: broker.pickled(queue, trap) for queue in QUEUES},
        "YAML": {queue: broker.yaml(queue, trap) for queue in QUEUES},
        "an unknown task": {queue: broker.task(queue, {}, task="os.system") for queue in QUEUES},
        "no arguments": {queue: broker.task(queue, {}) for queue in QUEUES},
        "a field of another type": {
            queue: broker.task(queue, {**chunk, "partition": "x"}) for queue in QUEUES
        },
    }.items():
        table.add(83, what, REFUSED, put(watcher, queues, messages))
    assert not trap.exists()


@pytest.mark.parametrize("what", ["an invented topic", "a huge range", "the range to come"])
def test_a_forged_chunk_takes_no_effect_and_takes_no_range(
    what: str, watcher: Game, queues: redis.Redis, table: Table
) -> None:
    ((known,),) = watcher.sql("SELECT DISTINCT topic_id::text FROM consumer_positions")
    watcher.applied()
    ((position,),) = watcher.sql(
        "SELECT max(next_offset) FROM consumer_positions WHERE partition = 0"
    )
    topic_id, first, following = {
        "an invented topic": (broker.INVENTED_TOPIC, 0, 1),
        "a huge range": (uuid.UUID(known), 0, HUGE),
        "the range to come": (uuid.UUID(known), position, position + 3),
    }[what]
    messages = {
        consumer.value: broker.task(
            consumer.queue,
            sealed(
                broker.forged(consumer, GAME, topic_id=topic_id, first=first, following=following),
                consumer,
                "a key that somebody guessed",
            ),
        )
        for consumer in Consumer
    }
    seen = put(watcher, queues, messages)
    claims = "SELECT count(*) FROM applied_chunks WHERE topic_id = %s AND next_offset >= %s"
    ((claimed,),) = watcher.sql(claims, str(topic_id), following)
    table.add(84, f"a forged chunk: {what}", REFUSED, seen)
    assert claimed == 0
    # The events that come to lie in the forged range take effect.
    watcher.game_id = f"b-{what.replace(' ', '-')}"
    events = [
        watcher.event(f"player-{number}", event_id=str(uuid.uuid4()))
        for number in range(4 * PARTITIONS)
    ]
    assert watcher.post(events).status_code == 202
    assert watcher.applied() == expected(events)


def test_a_chunk_of_one_consumer_is_none_of_another(
    watcher: Game, queues: redis.Redis, table: Table
) -> None:
    key = watcher.stack.env["CHUNK_SIGNING_KEY"]
    chunk = broker.forged(
        Consumer.STATS, GAME, topic_id=broker.INVENTED_TOPIC, first=0, following=1
    )
    message = broker.task("logging", sealed(chunk, Consumer.STATS, key))
    seen = put(watcher, queues, {"logging": message})
    table.add(84, "a real chunk of stats on the queue of logging", REFUSED, seen)
