"""The Quix Streams application of the peer `quix`, run by the Python of its own environment.

It runs unpatched, by configuration alone. The sink's own columns are left out, because its
`timestamp` is Kafka's and would replace an event's; the table is there already, because one that
the sink makes has TEXT for ids and times and no index; repeats are left to ON CONFLICT.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any, Final
from urllib.parse import urlsplit

from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink

from tests.bench.peer_work.order import Clock, Order

# Messages of all partitions a checkpoint: as many as the floor has in a batch.
CHECKPOINT: Final = 5_000
OPTIONAL: Final = ("event_version", "session_id", "sent_at")
GIVEN: Final = ("event_id", "event_type", "player_id", "game_id", "ingested_at", "data")


class TimedSink(PostgreSQLSink):  # type: ignore[misc]
    """The sink as it is; it only keeps when it committed last."""

    committed = 0.0

    def write(self, batch: Any) -> None:
        super().write(batch)
        self.committed = time.monotonic()


def row(event: dict[str, Any]) -> dict[str, Any]:
    """Every column of the log: those of a batch are taken from its first row."""
    return {
        **{column: event[column] for column in GIVEN},
        **{column: event.get(column) for column in OPTIONAL},
        "event_timestamp": event["timestamp"],
    }


def work(order: Order) -> None:
    """Log every message through a dataframe and the sink."""
    clock = Clock()
    place = urlsplit(order.database)
    sink = TimedSink(
        host=place.hostname,
        port=place.port,
        dbname=place.path[1:],
        user=place.username,
        password=place.password,
        table_name="events",
        schema_auto_update=False,
        include_metadata=False,
        on_conflict_do_nothing=True,
    )

    def timed(event: dict[str, Any]) -> dict[str, Any]:
        clock.first()
        return row(event)

    with tempfile.TemporaryDirectory() as state:
        app = Application(
            broker_address=order.servers,
            consumer_group=order.group,
            auto_offset_reset="earliest",
            commit_every=CHECKPOINT,
            auto_create_topics=False,
            use_changelog_topics=False,
            state_dir=state,
            loglevel="ERROR",
        )
        app.dataframe(app.topic(order.topic, value_deserializer="json")).apply(timed).sink(sink)
        clock.wait_for_go()
        app.run(count=order.messages, collect=False)
    clock.done(at=sink.committed)


if __name__ == "__main__":
    work(Order.of_process())
