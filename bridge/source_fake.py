"""A topic in memory, and a consumer group's only member that reads it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Message

from bridge.source import PASS_MESSAGES, Ends


@dataclass(kw_only=True, slots=True)
class MemoryTopic:
    """Messages by partition and offset; offsets may have gaps, as a compacted topic's have."""

    topic_id: uuid.UUID
    partitions: dict[int, dict[int, Message]] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    oldest: dict[int, int] = field(default_factory=dict)

    def ends(self, partition: int) -> Ends:
        offsets, oldest = self.partitions[partition], self.oldest.get(partition, 0)
        return Ends(
            low=oldest or min(offsets, default=0), high=max(max(offsets, default=-1) + 1, oldest)
        )

    def delete_before(self, partition: int, offset: int) -> None:
        """What retention does."""
        held = self.partitions[partition]
        self.partitions[partition] = {o: message for o, message in held.items() if o >= offset}
        self.oldest[partition] = offset


@dataclass(kw_only=True, slots=True)
class MemorySource:
    """Gives up to `pass_messages` messages a poll, of the partitions that are not paused."""

    topic: MemoryTopic
    on_assign: Callable[[list[int]], None]
    on_commit: Callable[[Mapping[int, int]], None] = lambda offsets: None
    pass_messages: int = 10
    closed: bool = False
    paused: set[int] = field(default_factory=set)
    _places: dict[int, int] = field(default_factory=dict)
    _joined: bool = False

    def poll(self, seconds: float, most: int = PASS_MESSAGES) -> list[Message]:
        if not self._joined:
            self._joined = True
            self.on_assign(sorted(self.topic.partitions))
            return []
        found: list[Message] = []
        for partition in self._places:
            if partition not in self.paused:
                found += self._read(partition, min(most, self.pass_messages) - len(found))
        return found

    def _read(self, partition: int, limit: int) -> list[Message]:
        held = self.topic.partitions[partition]
        offsets = sorted(offset for offset in held if offset >= self._places[partition])[:limit]
        if offsets:
            self._places[partition] = offsets[-1] + 1
        return [held[offset] for offset in offsets]

    def topic_id(self) -> uuid.UUID:
        return self.topic.topic_id

    def seen_topic_id(self) -> uuid.UUID | None:
        return self.topic.topic_id

    def partition_count(self) -> int:
        return len(self.topic.partitions)

    def ends(self, partition: int) -> Ends:
        return self.topic.ends(partition)

    def high(self, partition: int) -> int:
        return self.topic.ends(partition).high

    def start(self, offsets: Mapping[int, int]) -> None:
        self._places = dict(offsets)
        self.paused.clear()

    def pause(self, partition: int) -> None:
        self.paused.add(partition)

    def resume(self, partition: int) -> None:
        self.paused.discard(partition)

    def commit(self, offsets: Mapping[int, int]) -> None:
        self.on_commit(offsets)
        self.topic.committed.update(offsets)

    def close(self) -> None:
        self.closed = True
