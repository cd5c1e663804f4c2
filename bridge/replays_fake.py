"""The waiting dead letters in memory, for tests; it passes the same contract suite."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from apps.contract.causes import UNREPLAYABLE
from apps.contract.queues import replaying
from bridge.replay_rate import allowance
from bridge.replays import FIRST_LEASE, LONGEST_LEASE, MOST_REPLAYING, ToSend, Work


@dataclass(kw_only=True, slots=True)
class MemoryLetter:
    """What the dispatcher knows of a letter."""

    consumer_service: str
    cause: str = "score_invalid"
    state: str = "open"
    next_send_at: datetime | None = None
    next_retry_at: datetime | None = None
    sends: int = 0
    replays: int = 0


@dataclass(kw_only=True, slots=True)
class MemoryJob:
    """What the dispatcher knows of a job; the filter's keys are names of a letter's fields."""

    action: str
    filter: dict[str, str]
    per_second: int
    max_id: int
    paced_at: datetime
    state: str = "running"
    cursor: int = 0
    released: int = 0


@dataclass(kw_only=True, slots=True)
class MemoryReplays:
    """Letters and jobs in two dictionaries, by id."""

    letters: dict[int, MemoryLetter] = field(default_factory=dict)
    jobs: dict[int, MemoryJob] = field(default_factory=dict)

    def work(self, now: datetime) -> Work:
        running = [number for number, job in sorted(self.jobs.items()) if job.state == "running"]
        return Work(
            to_send=bool(self._waiting(now)),
            to_retry=bool(self._deserving(now)),
            jobs=tuple(running[:10]),
        )

    def retry(self, now: datetime, most: int) -> int:
        chosen = self._deserving(now)[:most]
        for letter in chosen:
            _release(letter, now)
        return len(chosen)

    def advance(self, job: int, now: datetime) -> int:
        found = self.jobs.get(job)
        if found is None or found.state != "running":
            return 0
        most, paced_at = allowance(found.per_second, found.paced_at, now)
        if found.action == "replay":
            busy = sum(letter.state == "replaying" for letter in self.letters.values())
            most = min(most, MOST_REPLAYING - busy)
        if most <= 0:
            return 0
        chosen = self._matching(found)[:most]
        for number in chosen:
            if found.action == "replay":
                _release(self.letters[number], now)
            else:
                self.letters[number].state = "discarded"
        found.cursor = chosen[-1] if len(chosen) == most else found.max_id
        found.released += len(chosen)
        found.paced_at = paced_at
        found.state = "done" if found.cursor >= found.max_id else "running"
        return len(chosen)

    def to_send(self, now: datetime, most: int) -> list[ToSend]:
        found = []
        for number in self._waiting(now)[:most]:
            letter = self.letters[number]
            letter.next_send_at = now + min(FIRST_LEASE * 2**letter.sends, LONGEST_LEASE)
            letter.sends += 1
            consumer = replaying(letter.consumer_service)
            found.append(ToSend(letter=number, consumer=consumer, sends=letter.sends))
        return sorted(found, key=lambda item: item.letter)

    def close(self) -> None:
        """There is no connection to let go."""

    def _waiting(self, now: datetime) -> list[int]:
        waiting = [
            (letter.next_send_at, number)
            for number, letter in self.letters.items()
            if letter.state == "replaying" and letter.next_send_at and letter.next_send_at <= now
        ]
        return [number for _, number in sorted(waiting)]

    def _deserving(self, now: datetime) -> list[MemoryLetter]:
        return [
            letter
            for letter in self.letters.values()
            if letter.state == "open" and letter.next_retry_at and letter.next_retry_at <= now
        ]

    def _matching(self, job: MemoryJob) -> list[int]:
        return [
            number
            for number, letter in sorted(self.letters.items())
            if job.cursor < number <= job.max_id
            and letter.state == "open"
            and (job.action == "discard" or letter.cause not in UNREPLAYABLE)
            and all(getattr(letter, name) == value for name, value in job.filter.items())
        ]


def _release(letter: MemoryLetter, now: datetime) -> None:
    letter.state, letter.sends, letter.next_retry_at = "replaying", 0, None
    letter.next_send_at = now
    letter.replays += 1
