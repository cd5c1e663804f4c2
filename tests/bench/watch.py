"""One measured stretch of a row: what was committed when, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from apps.contract.queues import Consumer
from tests.bench import latency
from tests.bench.child import Child
from tests.bench.figures import Figures
from tests.bench.latency import Join
from tests.bench.meter import Meter
from tests.bench.observer import Plan, Seen
from tests.bench.rig import PATIENCE, Rig

LOOK_SECONDS: Final = 0.004
_seen = msgspec.json.Decoder(list[Seen])


class NotApplied(Exception):
    """The consumers did not come to the end in time."""


@dataclass(kw_only=True)
class Watch:
    """An observer at work, and a meter that is read when it has seen the end."""

    rig: Rig
    observer: Child
    meter: Meter
    starts: Mapping[int, int]
    result: Path
    seen: list[Seen] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)

    def first(self) -> float:
        """When the first chunk was committed; CPU counts from then on. Raises ChildFailed."""
        at = float(self.observer.hear(PATIENCE)["first"])
        self.meter.mark()
        return at

    def finish(self, patience: float, *, generator: float = 0.0) -> None:
        """Wait until all that is in the topic is applied and cached; `generator` is its CPU.

        Raises NotApplied, NotRunning.
        """
        self.ends = dict(self.rig.view().ends())
        self.observer.tell(self.ends)
        deadline = time.monotonic() + patience
        while (said := self.observer.heard(0.5)) is None or "first" in said:
            self.rig.demand_alive()
            if time.monotonic() > deadline:
                raise NotApplied(f"not everything was applied within {patience:.0f} s")
        self.meter.read(generator=generator)
        self.seen = _seen.decode(self.result.read_bytes())

    @property
    def events(self) -> int:
        return sum(self.ends[part] - start for part, start in self.starts.items())

    def last_committed(self) -> float:
        """When the last consumer was at the end. Raises NotApplied."""
        if not self.seen:
            raise NotApplied("no event came to the topic")
        return max(chunk.committed_at for chunk in self.seen)

    def joined(self) -> Join:
        """Every event's moments. Raises TopicShort."""
        rig = self.rig
        dues = latency.read_dues(rig.servers, rig.topic, self.starts, self.ends)
        join = Join(starts=self.starts, dues=dues)
        join.take(self.seen)
        return join

    def write(self, figures: Figures, units: int) -> None:
        """What a row's figures take from here; CPU by `units` events."""
        self.meter.write(figures, units)
        chunks = [chunk for chunk in self.seen if chunk.consumer == "logging"]
        if chunks:
            figures.notes["events_a_chunk"] = round(self.events / len(chunks), 1)


@contextmanager
def watch(rig: Rig, consumers: Sequence[Consumer] = tuple(Consumer)) -> Iterator[Watch]:
    """An observer of these from where the topic ends now, where every consumer must be."""
    topic = rig.view()
    starts, result = dict(topic.ends()), rig.home / "seen.json"
    plan = Plan(
        dsn=rig.database_url,
        topic_id=str(topic.id),
        starts=starts,
        interval=LOOK_SECONDS,
        result=str(result),
        consumers=tuple(consumer.value for consumer in consumers),
    )
    with rig.child("tests.bench.observer", plan) as observer:
        backend = int(observer.hear(PATIENCE)["backend"])
        meter = Meter(rig=rig, observer=observer.pid, backend=backend)
        yield Watch(rig=rig, observer=observer, meter=meter, starts=starts, result=result)
