"""Messages on the queues that the bridge did not send: rows 83 and 84 of the corpus."""

from __future__ import annotations

import base64
import json
import pickle
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.contract.chunk import Chunk, Record, encode_records, to_message
from apps.contract.envelope import decode_event
from apps.contract.queues import Consumer
from tests.acceptance.corpus.case import event
from tests.acceptance.corpus.effects import in_game
from tests.builders import NOW

JSON = "application/json"
INVENTED_TOPIC = uuid.UUID("0d9a4f0e-52c1-4b0f-9d62-2f6d8a0a7c22")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """What a pickle would do to who loads it: it makes a file."""

    path: str

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (Path(self.path),)  # type: ignore[return-value]


def envelope(
    queue: str, body: bytes, *, content_type: str = JSON, headers: Mapping[str, Any] | None = None
) -> bytes:
    """A message as kombu lays it on a Redis list."""
    task_id = str(uuid.uuid4())
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "utf-8",
            "content-type": content_type,
            "headers": {
                "lang": "py",
                "task": f"{queue}.apply_chunk",
                "id": task_id,
                "root_id": task_id,
                "argsrepr": "()",
                "kwargsrepr": "{}",
                **(headers or {}),
            },
            "properties": {
                "correlation_id": task_id,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    ).encode()


def task(queue: str, kwargs: Any, *, args: Any = (), **headers: Any) -> bytes:
    """A message of Celery's second protocol."""
    body = json.dumps([args, kwargs, {"callbacks": None, "errbacks": None, "chain": None}])
    return envelope(queue, body.encode(), headers=headers)


def pickled(queue: str, trap: Path) -> bytes:
    body = pickle.dumps(((), {"trap": Opened(path=str(trap))}, {}))
    return envelope(queue, body, content_type="application/x-python-serialize")


def yaml(queue: str, trap: Path) -> bytes:
    body = f'!!python/object/apply:os.mknod ["{trap}"]'.encode()
    return envelope(queue, body, content_type="application/x-yaml")


def forged(
    consumer: Consumer, game_id: str, *, topic_id: uuid.UUID, first: int, following: int
) -> dict[str, Any]:
    """A chunk of one event that Kafka never had, with a range of somebody's choice."""
    invented = decode_event(
        in_game(event(), game_id), now=NOW, absent_id=str(uuid.uuid4()), ingested_at=NOW
    )
    chunk = Chunk(
        topic="player.events.raw",
        topic_id=topic_id,
        partition=0,
        first_offset=first,
        next_offset=following,
        events=1,
        records=encode_records([Record.of(invented, first)]),
        accepted_at=[NOW.timestamp()],
    )
    return to_message([chunk])
