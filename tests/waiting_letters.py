"""Dead letters that wait to be sent, in PostgreSQL and in memory, and how they come to be."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from django.db.models import Max, Min

from apps.deadletters.models import DeadLetter, DeadLetterJob
from bridge.replays import (
    PostgresReplays,
    Replays,
)
from bridge.replays_fake import MemoryJob, MemoryLetter, MemoryReplays
from tests.admin_site import new_letter
from tests.builders import NOW
from tests.database import dsn


class Subject(Protocol):
    """Waiting letters under test, and how they come to be."""

    replays: Replays

    def letter(self, consumer: str, **changes: Any) -> int: ...

    def job(self, action: str = "replay", per_second: int = 10, **filters: str) -> int: ...

    def set_job(self, job: int, state: str) -> None: ...

    def states(self) -> list[str]: ...

    def job_of(self, job: int) -> tuple[str, int]: ...


class InMemory:
    def __init__(self) -> None:
        self.replays: Replays
        self.memory = self.replays = MemoryReplays()

    def letter(self, consumer: str, **changes: Any) -> int:
        number = len(self.memory.letters) + 1
        self.memory.letters[number] = MemoryLetter(consumer_service=consumer, **changes)
        return number

    def job(self, action: str = "replay", per_second: int = 10, **filters: str) -> int:
        number = len(self.memory.jobs) + 1
        self.memory.jobs[number] = MemoryJob(
            action=action,
            filter=filters,
            per_second=per_second,
            max_id=max(self.memory.letters, default=0),
            paced_at=NOW,
        )
        return number

    def set_job(self, job: int, state: str) -> None:
        self.memory.jobs[job].state = state

    def states(self) -> list[str]:
        return [letter.state for _, letter in sorted(self.memory.letters.items())]

    def job_of(self, job: int) -> tuple[str, int]:
        return self.memory.jobs[job].state, self.memory.jobs[job].released


class InPostgresql:
    def __init__(self) -> None:
        self.replays: Replays = PostgresReplays(dsn())

    def letter(self, consumer: str, **changes: Any) -> int:
        made = new_letter(DeadLetter.objects.count(), consumer_service=consumer, **changes)
        made.save()
        return int(made.pk)

    def job(self, action: str = "replay", per_second: int = 10, **filters: str) -> int:
        ids = DeadLetter.objects.aggregate(oldest=Min("id"), newest=Max("id"))
        made = DeadLetterJob.objects.create(
            action=action,
            filter=filters,
            per_second=per_second,
            total=0,
            cursor=(ids["oldest"] or 1) - 1,
            max_id=ids["newest"] or 0,
            paced_at=NOW,
            created_by="bo",
        )
        return int(made.pk)

    def set_job(self, job: int, state: str) -> None:
        DeadLetterJob.objects.filter(pk=job).update(state=state)

    def states(self) -> list[str]:
        return list(DeadLetter.objects.order_by("id").values_list("state", flat=True))

    def job_of(self, job: int) -> tuple[str, int]:
        found = DeadLetterJob.objects.get(pk=job)
        return found.state, found.released


def replaying(at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    return {"state": "replaying", "next_send_at": at, **changes}


def sent(subject: Subject, now: datetime, most: int = 100) -> list[int]:
    return [item.letter for item in subject.replays.to_send(now, most)]
