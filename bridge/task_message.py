"""A task as Celery's second message protocol and kombu's Redis transport write it.

`send_task` makes the same bytes in 100 us and more; in the bridge it was most of the work.
A stock worker takes these (tests/contract/test_task_message.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec
from celery.utils.nodenames import anon_nodename

# A copy that nobody took for so long has long been published again.
EXPIRES: Final = timedelta(seconds=600)
_JSON: Final = "application/json"
_ORIGIN: Final = anon_nodename()
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A call of a task on a queue.

    `place` is what Flower and logs show of it: where the work lies, never the players' data.
    """

    queue: str
    name: str
    fields: Mapping[str, Any]
    place: str


def encode(task: Task, now: datetime) -> bytes:
    """What is pushed onto the list of the queue's name; `now` is aware."""
    task_id = str(uuid4())
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return _encode(
        {
            # Text, not base64, which kombu takes where no `body_encoding` is named.
            "body": _encode([[], task.fields, embedded]).decode(),
            "content-encoding": "utf-8",
            "content-type": _JSON,
            "headers": {
                "lang": "py",
                "task": task.name,
                "id": task_id,
                "shadow": None,
                "eta": None,
                "expires": (now + EXPIRES).isoformat(),
                "group": None,
                "group_index": None,
                "retries": 0,
                "timelimit": [None, None],
                "root_id": task_id,
                "parent_id": None,
                "argsrepr": "()",
                "kwargsrepr": task.place,
                "origin": _ORIGIN,
                "ignore_result": True,
                "replaced_task_nesting": 0,
                "stamped_headers": None,
                "stamps": {},
            },
            "properties": {
                "correlation_id": task_id,
                "reply_to": "",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": task.queue},
                "priority": 0,
                "delivery_tag": str(uuid4()),
            },
        }
    )
